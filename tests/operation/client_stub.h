// ClientStub: an etcd client without an etcd, for what has to be timed to the millisecond. Each call fails unless a
// test overrides it.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "source/etcd/client.h"

namespace lifeboat::operation {

class ClientStub : public source::Client {
 public:
  const std::vector<std::string>& endpoints() const override { return endpoints_; }
  std::shared_ptr<source::Client> cancelled_by(std::function<bool()>) override {
    return {std::shared_ptr<void>(), this};  // nothing here takes long; the test owns it
  }
  Result<source::MemberStatus> status(const std::string&) override { return nothing(); }
  Result<source::HashKvAnswer> hash_kv(const std::string&, std::int64_t) override { return nothing(); }
  Result<std::vector<etcd::Member>> members() override { return nothing(); }
  Result<std::vector<std::int64_t>> leases() override { return nothing(); }
  Result<std::optional<LeaseTtl>> lease_ttl(std::int64_t) override { return nothing(); }
  Result<RangeAnswer> range(ByteView, ByteView, std::int64_t, std::int64_t, bool) override { return nothing(); }
  Result<std::optional<AuthState>> auth_state() override { return nothing(); }
  Result<std::optional<Bytes>> key_value_at(ByteView, std::int64_t) override { return nothing(); }
  source::ConversationEnd converse(const std::string&, const source::ConversationTerms&, source::Conversation&,
                                   const std::function<bool()>& cancelled) override {
    while (!cancelled()) std::this_thread::yield();
    return {};
  }
  Result<source::SnapshotInfo> snapshot(const std::string&, source::SnapshotSink&, Progress&) override {
    return nothing();
  }

 protected:
  static std::unexpected<Error> nothing() { return fail(ErrorCode::kEtcdFailed, "the stub does not answer"); }

 private:
  std::vector<std::string> endpoints_{"http://127.0.0.1:1"};
};

}  // namespace lifeboat::operation
