// Logins that hang, against fake servers.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "fake_etcd.h"
#include "source/etcd/client.h"

namespace lifeboat::testing {
namespace {

using namespace std::chrono_literals;

LoginScript tokens(std::atomic<int>& logins) {
  return [&logins](grpc::ServerContext&, etcdserverpb::AuthenticateResponse& response) {
    response.set_token("token " + std::to_string(++logins));
    return grpc::Status::OK;
  };
}

std::unique_ptr<source::Client> user_at(std::vector<std::string> endpoints) {
  source::ClientOptions options;
  options.endpoints = std::move(endpoints);
  options.user = "root";
  options.password = crypto::Secret(as_bytes("password"));
  options.call_timeout = 20s;
  return source::Client::make(std::move(options)).value();
}

TEST(EtcdClientLogin, ThatHangsAtOneEndpointHoldsUpNobodyAtAnother) {
  std::atomic<bool> hangs = false;
  std::atomic<int> logins = 0;
  FakeEtcd hanging, answering;
  hanging.login = [&](grpc::ServerContext& context, etcdserverpb::AuthenticateResponse&) {
    hangs = true;
    while (hangs && !context.IsCancelled()) std::this_thread::sleep_for(5ms);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "too late");
  };
  answering.login = tokens(logins);
  const auto client = user_at({hanging.endpoint(), answering.endpoint()});
  std::thread stuck([&] { EXPECT_FALSE(client->status(hanging.endpoint())); });
  while (!hangs) std::this_thread::sleep_for(5ms);

  const auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) others.emplace_back([&] { EXPECT_TRUE(client->status(answering.endpoint())); });
  for (auto& other : others) other.join();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
  EXPECT_TRUE(hangs);
  EXPECT_EQ(logins, 1) << "one login is enough for all who speak to an endpoint";
  hangs = false;
  stuck.join();
}

}  // namespace
}  // namespace lifeboat::testing
