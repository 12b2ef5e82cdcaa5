// The gRPC channel to one endpoint: settings, dialing, unary calls and message streams.
#include "source/etcd/connection.h"

#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "source/etcd/pacer.h"

namespace lifeboat::source {
namespace {

using Clock = std::chrono::system_clock;
using Steady = std::chrono::steady_clock;

// How often a waiting call looks whether it was cancelled.
constexpr std::chrono::milliseconds kCancelTick{100};

// Sizes that fit each answer. A snapshot comes in blobs of 32 KiB; a range is bounded by the server
// at 2 GiB, and by the callers, who page; a million leases are 11 MB. A watch of a lagging reader
// brings up to 1000 revisions in one message when it was queued before fragments were agreed on.
constexpr const char* kServiceConfig = R"({"methodConfig":[
  {"name":[{}],
   "maxResponseMessageBytes":4194304},
  {"name":[{"service":"etcdserverpb.Maintenance","method":"Snapshot"}],
   "maxResponseMessageBytes":67108864},
  {"name":[{"service":"etcdserverpb.Lease","method":"LeaseLeases"}],
   "maxResponseMessageBytes":268435456},
  {"name":[{"service":"etcdserverpb.KV","method":"Range"},{"service":"etcdserverpb.Watch"}],
   "maxResponseMessageBytes":2147483647}]})";

// A message that comes so much later than asked for comes alone.
constexpr std::chrono::microseconds kSparse{300};

// etcd refuses pings more frequent than one in 5 s (--grpc-keepalive-min-time).
constexpr int kKeepaliveMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

// What one stream may have under way, as far as its connection may: an unprobed connection stays at 64 KiB.
constexpr int kStreamWindowBytes = 4 << 20;

grpc::ChannelArguments channel_arguments(std::chrono::milliseconds dial_timeout, const ChannelTerms& terms) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(terms.message_bytes_max == 0 ? -1 : static_cast<int>(terms.message_bytes_max));
  args.SetServiceConfigJSON(kServiceConfig);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(dial_timeout.count()));
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, terms.probes_window ? 1 : 0);
  args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamWindowBytes);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return args;
}

// gRPC writes to standard error on its own; what it says comes back in errors anyhow. Its own
// switch brings the lines back.
void silence_grpc() {
  static const bool once = [] {
    if (std::getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function([](gpr_log_func_args*) {});
    return true;
  }();
  static_cast<void>(once);
}

grpc::ByteBuffer to_buffer(ByteView bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

// For a request that may hold a password: wiped once gRPC lets go of it. What gRPC and the kernel copy to send it is
// out of reach.
grpc::ByteBuffer to_wiped_buffer(ByteView bytes) {
  auto copy = std::make_unique<std::byte[]>(bytes.size() + 1);
  std::ranges::copy(bytes, copy.get());
  const grpc::Slice slice(copy.release(), bytes.size(), [](void* data, std::size_t size) {
    OPENSSL_cleanse(data, size);
    std::default_delete<std::byte[]>()(static_cast<std::byte*>(data));
  });
  return grpc::ByteBuffer(&slice, 1);
}

// The pieces point into `buffer`.
void collect_pieces(grpc::ByteBuffer& buffer, std::vector<ByteView>& pieces) {
  pieces.clear();
  grpc::ProtoBufferReader reader(&buffer);
  const void* data = nullptr;
  int size = 0;
  while (reader.Next(&data, &size)) {
    pieces.emplace_back(static_cast<const std::byte*>(data), static_cast<std::size_t>(size));
  }
}

RpcFailure failure_of(const grpc::Status& status) {
  return {static_cast<RpcCode>(status.error_code()), status.error_message()};
}

std::unexpected<RpcFailure> stopped() { return std::unexpected(stopped_on_request()); }

// A call that is left by an exception has ended by the time it comes here, and the memory that it held is free.
template <typename Call>
std::invoke_result_t<Call> without_exceptions(const Call& call) {
  const auto threw = [](const std::string& what) {
    return std::unexpected(RpcFailure{RpcCode::kThrew, "an exception on this side: " + what});
  };
  try {
    return call();
  } catch (const std::exception& error) {
    return threw(error.what());
  } catch (...) {
    return threw("it is of no known kind");
  }
}

void add_token(grpc::ClientContext& context, std::string_view token) {
  if (!token.empty()) context.AddMetadata("token", std::string(token));
}

// Why a channel could not connect, in gRPC's words: a call on it fails at once and carries them.
RpcFailure dial_failure(grpc::GenericStub& stub, bool silent) {
  grpc::ClientContext context;
  context.set_deadline(Clock::now() + std::chrono::seconds(1));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, "/etcdserverpb.Maintenance/Status", to_buffer({}), &queue);
  grpc::ByteBuffer response;
  grpc::Status status;
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return {RpcCode::kNotConnected, status.ok() ? "the connection came too late" : status.error_message(), silent};
}

// A queue that is drained before it goes, as gRPC asks. Declared after what its operations use: that must be there
// until then.
class DrainedQueue {
 public:
  DrainedQueue() = default;
  DrainedQueue(const DrainedQueue&) = delete;
  DrainedQueue& operator=(const DrainedQueue&) = delete;
  ~DrainedQueue() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) continue;
  }
  grpc::CompletionQueue& get() { return queue_; }

 private:
  grpc::CompletionQueue queue_;
};

// One server stream driven from the calling thread: every step waits on the queue, so that a stall
// or a wish to stop is noticed without a second thread.
class StreamCall {
 public:
  StreamCall(grpc::GenericStub& stub, std::string_view method, std::string_view token) {
    add_token(context_, token);
    call_ = stub.PrepareCall(&context_, std::string(method), &queue_.get());
  }
  ~StreamCall() { cancel(); }  // of an exception; else it has ended
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;
  void cancel() { context_.TryCancel(); }

  void start() { call_->StartCall(nullptr); }
  void write_last(const grpc::ByteBuffer& request) { call_->WriteLast(request, {}, nullptr); }
  void read(grpc::ByteBuffer* message) { call_->Read(message, nullptr); }

  enum class Wait { kDone, kRefused, kTimeout };
  // Of the one operation under way.
  Wait wait(Clock::time_point until) {
    void* tag = nullptr;
    bool ok = false;
    if (queue_.get().AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::TIMEOUT) return Wait::kTimeout;
    return ok ? Wait::kDone : Wait::kRefused;
  }
  void wait_for_end() { wait(Clock::time_point::max()); }

  // After a refused operation, or a cancel whose operation was waited for.
  grpc::Status finish() {
    grpc::Status status;
    call_->Finish(&status, nullptr);
    wait_for_end();
    return status;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  DrainedQueue queue_;
};

// One call with one answer, driven in the same way.
class UnaryCall {
 public:
  UnaryCall(grpc::GenericStub& stub, std::string_view method, ByteView request, std::string_view token,
            std::chrono::milliseconds timeout) {
    context_.set_deadline(Clock::now() + timeout);
    add_token(context_, token);
    call_ = stub.PrepareUnaryCall(&context_, std::string(method), to_wiped_buffer(request), &queue_.get());
  }
  ~UnaryCall() { context_.TryCancel(); }  // of an exception; else it has ended
  UnaryCall(const UnaryCall&) = delete;
  UnaryCall& operator=(const UnaryCall&) = delete;

  RpcResult<Bytes> run(const std::function<bool()>& cancelled) {
    call_->StartCall();
    call_->Finish(&response_, &status_, nullptr);
    bool is_stopped = false;
    while (!is_finished()) {
      if (is_stopped || !cancelled()) continue;
      is_stopped = true;
      context_.TryCancel();
    }
    if (status_.ok()) return answer();
    if (is_stopped) return stopped();
    return std::unexpected(failure_of(status_));
  }

 private:
  // Waits for it, but not for long.
  bool is_finished() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.get().AsyncNext(&tag, &ok, Clock::now() + kCancelTick) == grpc::CompletionQueue::GOT_EVENT;
  }

  Bytes answer() {
    Bytes answer;
    answer.reserve(response_.Length());
    std::vector<ByteView> pieces;
    collect_pieces(response_, pieces);
    for (const ByteView piece : pieces) append(answer, piece);
    return answer;
  }

  grpc::ClientContext context_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> call_;
  DrainedQueue queue_;
};

// What ended a wait: the operation itself, or one of our own reasons.
enum class Step { kDone, kEnded, kStalled, kCancelled };

Step wait_for(StreamCall& call, std::chrono::milliseconds stall_timeout, const std::function<bool()>& cancelled) {
  const auto give_up = Steady::now() + stall_timeout;
  for (;;) {
    switch (call.wait(Clock::now() + std::min(kCancelTick, stall_timeout))) {
      case StreamCall::Wait::kDone:
        return Step::kDone;
      case StreamCall::Wait::kRefused:
        return Step::kEnded;
      case StreamCall::Wait::kTimeout:
        break;
    }
    if (!cancelled() && Steady::now() < give_up) continue;
    const Step why = cancelled() ? Step::kCancelled : Step::kStalled;
    call.cancel();
    call.wait_for_end();
    return why;
  }
}

RpcResult<void> end_of(StreamCall& call, Step step, std::chrono::milliseconds stall_timeout) {
  const grpc::Status status = call.finish();
  if (step == Step::kStalled) {
    return std::unexpected(
        RpcFailure{RpcCode::kStalled, "nothing arrived for " + std::to_string(stall_timeout.count()) + " ms"});
  }
  if (step == Step::kCancelled) return stopped();
  if (!status.ok()) return std::unexpected(failure_of(status));
  return {};
}

RpcResult<void> receive(grpc::GenericStub& stub, std::string_view method, ByteView request, std::string_view token,
                        std::chrono::milliseconds stall_timeout, const MessageHandler& handler,
                        const std::function<bool()>& cancelled) {
  grpc::ByteBuffer message;  // outlives the call that reads into it
  std::vector<ByteView> pieces;
  StreamCall call(stub, method, token);
  call.start();
  Step step = wait_for(call, stall_timeout, cancelled);
  if (step == Step::kDone) {
    call.write_last(to_buffer(request));
    step = wait_for(call, stall_timeout, cancelled);
  }
  while (step == Step::kDone) {
    call.read(&message);
    step = wait_for(call, stall_timeout, cancelled);
    if (step != Step::kDone) break;
    collect_pieces(message, pieces);
    if (!handler(pieces)) {
      call.cancel();
      call.finish();
      return {};
    }
    if (cancelled()) {
      call.cancel();
      step = Step::kCancelled;
    }
  }
  return end_of(call, step, stall_timeout);
}

// One stream on which both sides speak, driven from the calling thread: a read is always under way,
// and a write when there is something to say.
class TalkCall {
 public:
  TalkCall(grpc::GenericStub& stub, const ConversationTerms& terms, std::string_view token)
      : stall_timeout_(terms.stall_timeout), pacer_(terms.gather) {
    add_token(context_, token);
    for (const auto& [name, value] : terms.metadata) context_.AddMetadata(name, value);
    call_ = stub.PrepareCall(&context_, terms.method, &queue_.get());
  }
  ~TalkCall() { context_.TryCancel(); }  // of an exception; else it has ended
  TalkCall(const TalkCall&) = delete;
  TalkCall& operator=(const TalkCall&) = delete;

  RpcResult<void> run(Conversation& talk, const std::function<bool()>& cancelled) {
    starting_ = true;
    call_->StartCall(&starting_);
    last_message_ = Steady::now();
    talk.begin();
    while (!why_) step(talk, cancelled);
    if (*why_ != Why::kEnded) context_.TryCancel();
    while (starting_ || reading_ || writing_) take(Clock::time_point::max());
    grpc::Status status;
    bool finishing = true;
    call_->Finish(&status, &finishing);
    take(Clock::time_point::max());
    return outcome(status);
  }

 private:
  enum class Why { kEnded, kEnough, kFailed, kStalled, kCancelled };

  void step(Conversation& talk, const std::function<bool()>& cancelled) {
    if (!starting_ && !writing_) {
      if (const auto request = talk.request()) {
        writing_ = true;
        call_->Write(to_buffer(*request), &writing_);
      }
    }
    const bool* done = take_next();
    if (done == &reading_ && ok_) {
      hear(talk);
      last_message_ = Steady::now();
    } else if (done != nullptr && done != &reading_ && ok_) {
      if (done == &starting_) read();
    } else if (done != nullptr) {
      why_ = Why::kEnded;
    } else if (!talk.idle()) {
      why_ = Why::kEnough;
    } else if (Steady::now() >= last_message_ + stall_timeout_) {
      why_ = Why::kStalled;
    }
    if (!why_ && cancelled()) why_ = Why::kCancelled;
  }

  void hear(Conversation& talk) {
    pacer_.heard(message_.Length());
    collect_pieces(message_, pieces_);
    const auto more = talk.message(pieces_);
    if (!more) failure_ = more.error();
    if (!more || !*more)
      why_ = more ? Why::kEnough : Why::kFailed;
    else
      read();
  }
  void read() {
    reading_ = true;
    call_->Read(&message_, &reading_);
  }

  // Where messages come one by one, a pause lets the next ones come together; a burst is taken as it comes.
  const bool* take_next() {
    if (pacer_.pauses()) {
      if (const bool* ready = take(Clock::time_point()); ready != nullptr) return ready;
      if (sparse_) std::this_thread::sleep_for(pacer_.pause(Steady::now()));
    }
    const auto began = Steady::now();
    const bool* done = take(Clock::now() + std::min(kCancelTick, stall_timeout_));
    sparse_ = done == &reading_ && Steady::now() - began > kSparse;
    return done;
  }

  // The flag of the operation that is done, cleared; nullptr when none is by then.
  const bool* take(Clock::time_point until) {
    void* tag = nullptr;
    if (queue_.get().AsyncNext(&tag, &ok_, until) != grpc::CompletionQueue::GOT_EVENT) return nullptr;
    bool* flag = static_cast<bool*>(tag);
    *flag = false;
    return flag;
  }

  RpcResult<void> outcome(const grpc::Status& status) const {
    switch (*why_) {
      case Why::kEnough:
        return {};
      case Why::kFailed:
        return std::unexpected(failure_);
      case Why::kStalled:
        return std::unexpected(
            RpcFailure{RpcCode::kStalled, "nothing arrived for " + std::to_string(stall_timeout_.count()) + " ms"});
      case Why::kCancelled:
        return stopped();
      case Why::kEnded:
        break;
    }
    if (!status.ok()) return std::unexpected(failure_of(status));
    return std::unexpected(RpcFailure{RpcCode::kUnavailable, "the server ended the stream"});
  }

  const std::chrono::milliseconds stall_timeout_;
  Pacer pacer_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer message_;
  DrainedQueue queue_;
  std::vector<ByteView> pieces_;
  Steady::time_point last_message_;
  bool starting_ = false, reading_ = false, writing_ = false, ok_ = false;
  bool sparse_ = false;  // the last message was waited for
  std::optional<Why> why_;
  RpcFailure failure_;
};

}  // namespace

struct ChannelSecurity::State {
  std::shared_ptr<grpc::ChannelCredentials> plain = grpc::InsecureChannelCredentials();
  std::shared_ptr<grpc::ChannelCredentials> tls;
};

ChannelSecurity::ChannelSecurity(const TlsMaterial& material) : state_(std::make_unique<State>()) {
  silence_grpc();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = material.ca_certificate;
  options.pem_cert_chain = material.client_certificate;
  options.pem_private_key = to_string(material.client_key.view());
  state_->tls = grpc::SslCredentials(options);
  OPENSSL_cleanse(options.pem_private_key.data(), options.pem_private_key.size());
}
ChannelSecurity::~ChannelSecurity() = default;

struct Connection::Channel {
  explicit Channel(std::shared_ptr<grpc::Channel> opened) : grpc(std::move(opened)), stub(grpc) {}
  std::shared_ptr<grpc::Channel> grpc;
  grpc::GenericStub stub;
};

struct Connection::Current {
  std::mutex mutex;
  std::shared_ptr<Channel> channel;
};

Connection::Connection(Endpoint endpoint, const ChannelSecurity& security, std::chrono::milliseconds dial_timeout)
    : endpoint_(std::move(endpoint)),
      security_(security),
      dial_timeout_(dial_timeout),
      current_(std::make_unique<Current>()) {}
Connection::~Connection() = default;

std::shared_ptr<Connection::Channel> Connection::open(const ChannelTerms& terms) const {
  const auto& credentials = endpoint_.tls ? security_.state().tls : security_.state().plain;
  return std::make_shared<Channel>(
      grpc::CreateCustomChannel(endpoint_.target, credentials, channel_arguments(dial_timeout_, terms)));
}

RpcResult<void> Connection::wait_until_ready(Channel& channel, const std::function<bool()>& cancelled) const {
  const auto give_up = Clock::now() + dial_timeout_;
  const auto silent_from = Steady::now() + dial_timeout_ * 9 / 10;  // gRPC's own limit is as long, and may end first
  auto state = channel.grpc->GetState(true);
  while (state == GRPC_CHANNEL_IDLE || state == GRPC_CHANNEL_CONNECTING) {
    const bool changed = channel.grpc->WaitForStateChange(state, std::min(give_up, Clock::now() + kCancelTick));
    if (cancelled()) return stopped();
    if (!changed && Clock::now() >= give_up) break;
    state = channel.grpc->GetState(true);
  }
  if (state == GRPC_CHANNEL_READY) return {};
  if (state == GRPC_CHANNEL_TRANSIENT_FAILURE)
    return std::unexpected(dial_failure(channel.stub, Steady::now() >= silent_from));
  return std::unexpected(RpcFailure{RpcCode::kNotConnected,
                                    "no connection within " + std::to_string(dial_timeout_.count()) + " ms", true});
}

// A channel that failed to connect is dropped, so that the next call dials at once and not after a
// back-off.
RpcResult<std::shared_ptr<Connection::Channel>> Connection::connected(const std::function<bool()>& cancelled) {
  std::shared_ptr<Channel> channel;
  {
    const std::lock_guard lock(current_->mutex);
    if (!current_->channel) current_->channel = open({});
    channel = current_->channel;
  }
  if (const auto ready = wait_until_ready(*channel, cancelled); !ready) {
    drop(channel);
    return std::unexpected(ready.error());
  }
  return channel;
}

RpcResult<std::shared_ptr<Connection::Channel>> Connection::connected_alone(
    const ChannelTerms& terms, const std::function<bool()>& cancelled) const {
  auto channel = open(terms);
  if (const auto ready = wait_until_ready(*channel, cancelled); !ready) return std::unexpected(ready.error());
  return channel;
}

void Connection::drop(const std::shared_ptr<Channel>& channel) {
  const std::lock_guard lock(current_->mutex);
  if (current_->channel == channel) current_->channel.reset();
}

RpcResult<Bytes> Connection::unary(std::string_view method, ByteView request, std::string_view token,
                                   std::chrono::milliseconds timeout, const std::function<bool()>& cancelled) {
  return without_exceptions([&]() -> RpcResult<Bytes> {
    if (cancelled()) return stopped();
    const auto channel = connected(cancelled);
    if (!channel) return std::unexpected(channel.error());
    return UnaryCall((*channel)->stub, method, request, token, timeout).run(cancelled);
  });
}

RpcResult<void> Connection::stream(std::string_view method, ByteView request, std::string_view token,
                                   std::chrono::milliseconds stall_timeout, const MessageHandler& handler,
                                   const std::function<bool()>& cancelled) {
  return without_exceptions([&]() -> RpcResult<void> {
    const auto channel = connected_alone({.probes_window = true}, cancelled);
    if (!channel) return std::unexpected(channel.error());
    return receive((*channel)->stub, method, request, token, stall_timeout, handler, cancelled);
  });
}

RpcResult<void> Connection::converse(const ConversationTerms& terms, std::string_view token, Conversation& talk,
                                     const std::function<bool()>& cancelled) {
  return without_exceptions([&]() -> RpcResult<void> {
    const auto channel = terms.alone ? connected_alone(*terms.alone, cancelled) : connected(cancelled);
    if (!channel) return std::unexpected(channel.error());
    return TalkCall((*channel)->stub, terms, token).run(talk, cancelled);
  });
}

}  // namespace lifeboat::source
