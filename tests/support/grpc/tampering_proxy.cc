#include "support/grpc/tampering_proxy.h"

#include <grpcpp/grpcpp.h>

#include <mutex>
#include <stdexcept>
#include <thread>

#include "etcd_api.grpc.pb.h"

namespace lifeboat::testing {

namespace {

using grpc::ClientContext;
using grpc::ServerContext;
using namespace etcdserverpb;

// What etcd reads of a call's metadata.
void pass_metadata(const ServerContext& from, ClientContext& to) {
  for (const char* name : {"token", "hasleader"}) {
    const auto found = from.client_metadata().find(name);
    if (found != from.client_metadata().end())
      to.AddMetadata(name, std::string(found->second.data(), found->second.size()));
  }
}

// A method of a stub as it answers the server's.
template <typename Stub, typename Request, typename Response>
grpc::Status pass(ServerContext* context, Stub& stub,
                  grpc::Status (Stub::*method)(ClientContext*, const Request&, Response*), const Request* request,
                  Response* response) {
  ClientContext onward;
  pass_metadata(*context, onward);
  onward.set_deadline(context->deadline());
  return (stub.*method)(&onward, *request, response);
}

class KvProxy final : public KV::Service {
 public:
  explicit KvProxy(const std::shared_ptr<grpc::Channel>& to) : stub_(to) {}
  grpc::Status Range(ServerContext* context, const RangeRequest* request, RangeResponse* response) override {
    return pass(context, stub_, &KV::Stub::Range, request, response);
  }

 private:
  KV::Stub stub_;
};

class LeaseProxy final : public Lease::Service {
 public:
  explicit LeaseProxy(const std::shared_ptr<grpc::Channel>& to) : stub_(to) {}
  grpc::Status LeaseTimeToLive(ServerContext* context, const LeaseTimeToLiveRequest* request,
                               LeaseTimeToLiveResponse* response) override {
    return pass(context, stub_, &Lease::Stub::LeaseTimeToLive, request, response);
  }
  grpc::Status LeaseLeases(ServerContext* context, const LeaseLeasesRequest* request,
                           LeaseLeasesResponse* response) override {
    return pass(context, stub_, &Lease::Stub::LeaseLeases, request, response);
  }

 private:
  Lease::Stub stub_;
};

class ClusterProxy final : public Cluster::Service {
 public:
  explicit ClusterProxy(const std::shared_ptr<grpc::Channel>& to) : stub_(to) {}
  grpc::Status MemberList(ServerContext* context, const MemberListRequest* request,
                          MemberListResponse* response) override {
    return pass(context, stub_, &Cluster::Stub::MemberList, request, response);
  }

 private:
  Cluster::Stub stub_;
};

class AuthProxy final : public Auth::Service {
 public:
  explicit AuthProxy(const std::shared_ptr<grpc::Channel>& to) : stub_(to) {}
  grpc::Status AuthStatus(ServerContext* context, const AuthStatusRequest* request,
                          AuthStatusResponse* response) override {
    return pass(context, stub_, &Auth::Stub::AuthStatus, request, response);
  }
  grpc::Status Authenticate(ServerContext* context, const AuthenticateRequest* request,
                            AuthenticateResponse* response) override {
    return pass(context, stub_, &Auth::Stub::Authenticate, request, response);
  }

 private:
  Auth::Stub stub_;
};

class MaintenanceProxy final : public Maintenance::Service {
 public:
  explicit MaintenanceProxy(const std::shared_ptr<grpc::Channel>& to) : stub_(to) {}
  grpc::Status Status(ServerContext* context, const StatusRequest* request, StatusResponse* response) override {
    return pass(context, stub_, &Maintenance::Stub::Status, request, response);
  }
  grpc::Status HashKV(ServerContext* context, const HashKVRequest* request, HashKVResponse* response) override {
    return pass(context, stub_, &Maintenance::Stub::HashKV, request, response);
  }
  grpc::Status Snapshot(ServerContext* context, const SnapshotRequest* request,
                        grpc::ServerWriter<SnapshotResponse>* writer) override {
    ClientContext onward;
    pass_metadata(*context, onward);
    const auto reader = stub_.Snapshot(&onward, *request);
    SnapshotResponse message;
    while (reader->Read(&message)) {
      if (!writer->Write(message)) onward.TryCancel();
    }
    return reader->Finish();
  }

 private:
  Maintenance::Stub stub_;
};

class WatchProxy final : public Watch::Service {
 public:
  using Stream = grpc::ServerReaderWriter<WatchResponse, WatchRequest>;

  WatchProxy(const std::shared_ptr<grpc::Channel>& to, WatchEdit edit) : stub_(to), edit_(std::move(edit)) {}

  grpc::Status Watch(ServerContext* context, Stream* stream) override {
    ClientContext onward;
    pass_metadata(*context, onward);
    const auto server = stub_.Watch(&onward);
    std::thread requests([&] {
      WatchRequest request;
      while (stream->Read(&request)) server->Write(request);
      onward.TryCancel();
    });
    WatchResponse answer;
    while (server->Read(&answer)) {
      for (const WatchResponse& edited : edit(std::move(answer))) stream->Write(edited);
    }
    context->TryCancel();
    requests.join();
    return server->Finish();
  }

 private:
  std::vector<WatchResponse> edit(WatchResponse answer) {
    const std::lock_guard lock(mutex_);
    return edit_(std::move(answer));
  }

  Watch::Stub stub_;
  std::mutex mutex_;
  WatchEdit edit_;
};

std::shared_ptr<grpc::Channel> channel_to(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  return grpc::CreateCustomChannel(target.substr(target.find("//") + 2), grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct TamperingProxy::State {
  State(const std::string& target, WatchEdit edit) : channel(channel_to(target)), watch(channel, std::move(edit)) {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    const std::vector<grpc::Service*> services{&kv, &lease, &cluster, &auth, &maintenance, &watch};
    for (grpc::Service* service : services) builder.RegisterService(service);
    server = builder.BuildAndStart();
    if (!server) throw std::runtime_error("a proxy of a test cannot listen");
  }
  ~State() { server->Shutdown(std::chrono::system_clock::now()); }

  std::shared_ptr<grpc::Channel> channel;
  KvProxy kv{channel};
  LeaseProxy lease{channel};
  ClusterProxy cluster{channel};
  AuthProxy auth{channel};
  MaintenanceProxy maintenance{channel};
  WatchProxy watch;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
};

TamperingProxy::TamperingProxy(const std::string& target, WatchEdit edit)
    : state_(std::make_unique<State>(target, std::move(edit))) {}
TamperingProxy::~TamperingProxy() = default;

std::string TamperingProxy::url() const { return "http://127.0.0.1:" + std::to_string(state_->port); }

}  // namespace lifeboat::testing
