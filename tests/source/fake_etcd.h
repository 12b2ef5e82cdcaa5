// FakeEtcd: a real gRPC server that answers as a member of etcd, and misbehaves as a test asks.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "crypto/hash.h"
#include "etcd_api.grpc.pb.h"

namespace lifeboat::testing {

using SnapshotWriter = grpc::ServerWriter<etcdserverpb::SnapshotResponse>;
// How a snapshot call goes, from its first message to its end.
using SnapshotScript = std::function<grpc::Status(grpc::ServerContext&, SnapshotWriter&)>;

inline constexpr std::size_t kBlobBytes = 32 * 1024;

inline bool send(SnapshotWriter& writer, std::uint64_t remaining, std::string blob) {
  etcdserverpb::SnapshotResponse message;
  message.set_remaining_bytes(remaining);
  message.set_blob(std::move(blob));
  message.set_version("3.6.0");
  return writer.Write(message);
}

inline std::string checksum_of(const std::string& database) {
  return to_string(crypto::sha256(as_bytes(database)).bytes);
}

// The first `count` bytes in blobs, with what remains of the whole announced as etcd does.
inline bool send_data(SnapshotWriter& writer, const std::string& database, std::size_t count) {
  for (std::size_t at = 0; at < count; at += kBlobBytes) {
    const std::string blob = database.substr(at, std::min(kBlobBytes, count - at));
    if (!send(writer, database.size() - at - blob.size(), blob)) return false;
  }
  return true;
}

inline SnapshotScript well_behaved(std::string database) {
  return [database = std::move(database)](grpc::ServerContext&, SnapshotWriter& writer) {
    send_data(writer, database, database.size());
    send(writer, 0, checksum_of(database));
    return grpc::Status::OK;
  };
}

// How a login goes, and a watch from its first request to its end.
using LoginScript = std::function<grpc::Status(grpc::ServerContext&, etcdserverpb::AuthenticateResponse&)>;
using WatchStream = grpc::ServerReaderWriter<etcdserverpb::WatchResponse, etcdserverpb::WatchRequest>;
using WatchScript = std::function<grpc::Status(grpc::ServerContext&, WatchStream&)>;

class FakeEtcd final : public etcdserverpb::Maintenance::Service {
 public:
  etcdserverpb::StatusResponse answer;  // of Status; set before the first call
  SnapshotScript script;
  LoginScript login;  // set before the first call, as the next
  WatchScript watch;
  std::atomic<int> snapshot_calls = 0;

  explicit FakeEtcd(SnapshotScript snapshot_script = well_behaved("database"),
                    const std::string& listen_on = "127.0.0.1:0",
                    const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials())
      : script(std::move(snapshot_script)) {
    answer.mutable_header()->set_cluster_id(7);
    answer.mutable_header()->set_member_id(1);
    answer.mutable_header()->set_revision(1000);
    answer.set_version("3.6.0");
    answer.set_leader(1);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen_on, credentials, &port_);
    builder.RegisterService(this);
    builder.RegisterService(&auth_);
    builder.RegisterService(&watches_);
    server_ = builder.BuildAndStart();
  }
  ~FakeEtcd() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
  }

  bool listens() const { return server_ != nullptr; }
  int port() const { return port_; }
  std::string endpoint(const std::string& scheme = "http", const std::string& host = "127.0.0.1") const {
    return scheme + "://" + host + ":" + std::to_string(port_);
  }

  grpc::Status Status(grpc::ServerContext*, const etcdserverpb::StatusRequest*,
                      etcdserverpb::StatusResponse* response) override {
    *response = answer;
    return grpc::Status::OK;
  }
  grpc::Status Snapshot(grpc::ServerContext* context, const etcdserverpb::SnapshotRequest*,
                        SnapshotWriter* writer) override {
    ++snapshot_calls;
    return script(*context, *writer);
  }

 private:
  class Auth final : public etcdserverpb::Auth::Service {
   public:
    explicit Auth(FakeEtcd& of) : of_(of) {}
    grpc::Status Authenticate(grpc::ServerContext* context, const etcdserverpb::AuthenticateRequest* request,
                              etcdserverpb::AuthenticateResponse* response) override {
      return of_.login ? of_.login(*context, *response) : Service::Authenticate(context, request, response);
    }

   private:
    FakeEtcd& of_;
  };
  class Watches final : public etcdserverpb::Watch::Service {
   public:
    explicit Watches(FakeEtcd& of) : of_(of) {}
    grpc::Status Watch(grpc::ServerContext* context, WatchStream* stream) override {
      return of_.watch ? of_.watch(*context, *stream) : Service::Watch(context, stream);
    }

   private:
    FakeEtcd& of_;
  };

  Auth auth_{*this};
  Watches watches_{*this};
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace lifeboat::testing
