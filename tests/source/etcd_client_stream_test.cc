// The client against snapshot streams that break every rule of the protocol.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "fake_etcd.h"
#include "recording.h"
#include "support/clock.h"
#include "support/recording_progress.h"
#include "support/tcp_proxy.h"
#include "support/temp_dir.h"

namespace lifeboat::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string some_database() {
  std::string database(5 * kBlobBytes + 4096, '\0');
  for (std::size_t i = 0; i < database.size(); ++i) database[i] = static_cast<char>(i * 31 + i / 977);
  return database;
}

std::unique_ptr<source::Client> client_of(std::vector<std::string> endpoints, std::chrono::milliseconds stall = 20s) {
  source::ClientOptions options;
  options.endpoints = std::move(endpoints);
  options.stall_timeout = stall;
  return source::Client::make(std::move(options), real_clock()).value();
}

// The error of a snapshot from one server that follows `script`.
Error error_of(SnapshotScript script, std::chrono::milliseconds stall = 20s) {
  const FakeEtcd server(std::move(script));
  RecordingSink sink;
  RecordingProgress progress;
  const auto result = client_of({server.endpoint()}, stall)->snapshot("", sink, progress);
  if (!result) return result.error();
  ADD_FAILURE() << "the snapshot was accepted";
  return Error(ErrorCode::kInternal, "accepted");
}

// Until the client has gone, so that only the client can end the call.
void wait_for_cancel(grpc::ServerContext& context) {
  while (!context.IsCancelled()) std::this_thread::sleep_for(5ms);
}

TEST(EtcdClientStream, DeliversAllBytesOfAWellBehavedStream) {
  const std::string database = some_database();
  const FakeEtcd server(well_behaved(database));
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client_of({server.endpoint()})->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(sink.bytes, database);
  EXPECT_EQ(sink.announced_bytes, database.size());
  EXPECT_EQ(info->file_bytes, database.size());
  EXPECT_EQ(info->version, "3.6.0");
  EXPECT_EQ(info->sha256_hex, crypto::sha256(as_bytes(database)).text());
  EXPECT_EQ(info->endpoint, server.endpoint());
  EXPECT_THAT(progress.sentences, ::testing::IsEmpty());
}

// A connection begins with a window of 64 KiB; one that stayed so would receive no more than that in each round trip.
TEST(EtcdClientStream, LetsAServerThatIsFarAwaySendAhead) {
  const FakeEtcd server(well_behaved(std::string(std::size_t{48} << 20, 'x')));
  TcpProxy network(server.endpoint());
  network.delay(5ms);
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client_of({network.url()})->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(sink.bytes.size(), std::size_t{48} << 20);
  EXPECT_GT(network.most_held_bytes(), std::uint64_t{512} << 10);
}

TEST(EtcdClientStream, EndsWhenTheServerSendsEmptyBlocksForEver) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    const std::string database = some_database();
    send_data(writer, database, kBlobBytes);
    while (send(writer, database.size() - kBlobBytes, "")) {
    }
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
  EXPECT_THAT(error.why(), HasSubstr("empty block"));
}

TEST(EtcdClientStream, EndsWhenTheRemainingBytesDoNotFall) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    while (send(writer, 1 << 20, std::string(kBlobBytes, 'x'))) {
    }
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
  EXPECT_THAT(error.why(), HasSubstr("said to remain"));
}

TEST(EtcdClientStream, RefusesMoreBytesThanWereAnnounced) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    send(writer, 10, std::string(kBlobBytes, 'x'));
    send(writer, 0, std::string(kBlobBytes, 'x'));
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
}

// An eighth of it added, the sum is small again.
TEST(EtcdClientStream, RefusesALengthThatNoFileHas) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    send(writer, 16'397'105'843'297'379'214u, "xx");
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
  EXPECT_THAT(error.why(), HasSubstr("impossible length"));
}

TEST(EtcdClientStream, RefusesALengthThatOverflows) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    send(writer, ~std::uint64_t{0}, "xx");
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
  EXPECT_THAT(error.why(), HasSubstr("impossible length"));
}

TEST(EtcdClientStream, CallsAStreamThatEndsEarlyTruncated) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    send_data(writer, some_database(), 2 * kBlobBytes);
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotTruncated);
  EXPECT_THAT(error.why(), HasSubstr("after 65,536 of 167,936 bytes"));
}

TEST(EtcdClientStream, CallsAStreamWithoutItsChecksumTruncated) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    const std::string database = some_database();
    send_data(writer, database, database.size());
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotTruncated);
  EXPECT_THAT(error.why(), HasSubstr("without the checksum"));
}

TEST(EtcdClientStream, CallsAStreamThatSendsNothingTruncated) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter&) { return grpc::Status::OK; });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotTruncated);
}

TEST(EtcdClientStream, FindsAChangedByteByTheChecksum) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    std::string database = some_database();
    const std::string checksum = checksum_of(database);
    database[70'000] ^= 1;
    send_data(writer, database, database.size());
    send(writer, 0, checksum);
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotChecksum);
}

TEST(EtcdClientStream, RefusesAChecksumOfAnotherSize) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    const std::string database = some_database();
    send_data(writer, database, database.size());
    send(writer, 0, checksum_of(database) + "x");
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
}

TEST(EtcdClientStream, RefusesAnythingBehindTheChecksum) {
  const Error error = error_of([](grpc::ServerContext&, SnapshotWriter& writer) {
    const std::string database = some_database();
    send_data(writer, database, database.size());
    send(writer, 0, checksum_of(database));
    send(writer, 0, checksum_of(database));
    return grpc::Status::OK;
  });
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
}

TEST(EtcdClientStream, CancelsAStreamThatStalls) {
  const auto begin = std::chrono::steady_clock::now();
  const Error error = error_of(
      [](grpc::ServerContext& context, SnapshotWriter& writer) {
        send_data(writer, some_database(), kBlobBytes);
        wait_for_cancel(context);
        return grpc::Status::CANCELLED;
      },
      400ms);
  EXPECT_EQ(error.code(), ErrorCode::kSnapshotStreamBroken);
  EXPECT_THAT(error.why(), HasSubstr("nothing arrived for 400 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(EtcdClientStream, FailsOverWhenAMemberNeverBeginsToSend) {
  FakeEtcd silent([](grpc::ServerContext& context, SnapshotWriter&) {
    wait_for_cancel(context);
    return grpc::Status::CANCELLED;
  });
  const FakeEtcd good(well_behaved(some_database()));
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client_of({silent.endpoint(), good.endpoint()}, 3s)  // the good one may be slow, too
                        ->snapshot(silent.endpoint(), sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(silent.snapshot_calls, 1);
  EXPECT_EQ(info->endpoint, good.endpoint());
}

TEST(EtcdClientStream, StartsAnewOnAnotherEndpointWhenOneDiesInTheMiddle) {
  const std::string database = some_database();
  const FakeEtcd dying([](grpc::ServerContext&, SnapshotWriter& writer) {
    send_data(writer, some_database(), 3 * kBlobBytes);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "transport is closing");
  });
  const FakeEtcd good(well_behaved(database));
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client_of({dying.endpoint(), good.endpoint()})->snapshot(dying.endpoint(), sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_THAT(sink.attempts, ElementsAre(dying.endpoint(), good.endpoint()));
  EXPECT_EQ(sink.bytes, database);
  EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr("transport is closing")));
  EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr("Trying " + good.endpoint())));
}

TEST(EtcdClientStream, ReportsTheLastErrorWhenEveryEndpointFails) {
  const FakeEtcd one([](grpc::ServerContext&, SnapshotWriter&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "etcdserver: no leader");
  });
  const FakeEtcd two([](grpc::ServerContext&, SnapshotWriter& writer) {
    send_data(writer, some_database(), kBlobBytes);
    return grpc::Status(grpc::StatusCode::INTERNAL, "disk on fire");
  });
  RecordingSink sink;
  RecordingProgress progress;
  const auto result = client_of({one.endpoint(), two.endpoint()})->snapshot(one.endpoint(), sink, progress);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kSnapshotStreamBroken);
  EXPECT_THAT(result.error().why(), HasSubstr("disk on fire"));
  EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr("no leader")));
}

TEST(EtcdClientStream, AnErrorOfTheSinkEndsTheCallWithoutAnotherTry) {
  FakeEtcd one(well_behaved(some_database()));
  FakeEtcd two(well_behaved(some_database()));
  RecordingSink sink;
  sink.refusal = Error(ErrorCode::kStorageFull, "spool");
  RecordingProgress progress;
  const auto result = client_of({one.endpoint(), two.endpoint()})->snapshot("", sink, progress);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kStorageFull);
  EXPECT_EQ(one.snapshot_calls + two.snapshot_calls, 1);
}

TEST(EtcdClientStream, StopsQuicklyWhenAskedTo) {
  FakeEtcd one([](grpc::ServerContext& context, SnapshotWriter& writer) {
    send_data(writer, some_database(), kBlobBytes);
    wait_for_cancel(context);
    return grpc::Status::CANCELLED;
  });
  RecordingSink sink;
  RecordingProgress progress;
  std::jthread stopper([&] {
    while (one.snapshot_calls == 0) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(100ms);
    progress.stop = true;
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto result = client_of({one.endpoint()}, 30s)->snapshot("", sink, progress);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kInterrupted);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(EtcdClientStream, ReadsFromTheMostAdvancedVoterAndSaysWhoLags) {
  FakeEtcd behind, ahead, learner;
  behind.answer.mutable_header()->set_revision(500);
  learner.answer.mutable_header()->set_revision(2000);
  learner.answer.set_islearner(true);
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client_of({behind.endpoint(), learner.endpoint(), ahead.endpoint()})->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(info->endpoint, ahead.endpoint());
  EXPECT_THAT(progress.sentences,
              ::testing::Contains(HasSubstr(behind.endpoint() + " lags: it is 1,500 revisions behind")));
  EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr(learner.endpoint() + " is a learner")));
}

TEST(EtcdClientStream, SaysThatAMemberRaisesAnAlarmOrDoesNotAnswer) {
  FakeEtcd alarmed(well_behaved(some_database()));
  alarmed.answer.add_errors("memberID:1 alarm:NOSPACE ");
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client_of({"http://127.0.0.1:1", alarmed.endpoint()})->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_THAT(progress.sentences, ::testing::Contains(HasSubstr("raises an alarm: memberID:1 alarm:NOSPACE")));
  EXPECT_THAT(progress.sentences,
              ::testing::Contains(HasSubstr("http://127.0.0.1:1 does not answer: Connection refused")));
}

TEST(EtcdClientStream, RefusesEndpointsOfTwoClusters) {
  FakeEtcd one, other;
  other.answer.mutable_header()->set_cluster_id(8);
  RecordingSink sink;
  RecordingProgress progress;
  const auto result = client_of({one.endpoint(), other.endpoint()})->snapshot("", sink, progress);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kBadSetting);
  EXPECT_THAT(sink.attempts, ElementsAre());
}

TEST(EtcdClientStream, RefusesAPreferredEndpointThatWasNotGiven) {
  const FakeEtcd one;
  RecordingSink sink;
  RecordingProgress progress;
  const auto result = client_of({one.endpoint()})->snapshot("http://127.0.0.1:2", sink, progress);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), ErrorCode::kBadSetting);
}

TEST(EtcdClientStream, BoundsTheSizeOfAnAnswerByItsKind) {
  FakeEtcd huge([](grpc::ServerContext&, SnapshotWriter& writer) {
    const std::string database(8 << 20, 'x');
    send(writer, 0, database);
    send(writer, 0, checksum_of(database));
    return grpc::Status::OK;
  });
  const auto client = client_of({huge.endpoint()});
  RecordingSink sink;
  RecordingProgress progress;
  const auto info = client->snapshot("", sink, progress);
  ASSERT_TRUE(info.has_value()) << info.error().to_string();
  EXPECT_EQ(sink.bytes.size(), 8u << 20);

  huge.answer.add_errors(std::string(5 << 20, 'x'));
  const auto status = client->status(huge.endpoint());
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::kEtcdFailed);
  EXPECT_THAT(status.error().why(), HasSubstr("larger than max"));
}

TEST(EtcdClientStream, SpeaksOverIpv6AndUnixSockets) {
  const TempDir directory;
  const FakeEtcd on_socket(well_behaved(some_database()), "unix:" + directory / "etcd.sock");
  ASSERT_TRUE(on_socket.listens());
  const std::string socket_endpoint = "unix://" + directory / "etcd.sock";
  EXPECT_EQ(client_of({socket_endpoint})->status(socket_endpoint).value().version, "3.6.0");

  const FakeEtcd on_v6(well_behaved(some_database()), "[::1]:0");
  if (!on_v6.listens()) GTEST_SKIP() << "this machine has no IPv6";
  const std::string v6_endpoint = on_v6.endpoint("http", "[::1]");
  EXPECT_EQ(client_of({v6_endpoint})->status(v6_endpoint).value().version, "3.6.0");
}

}  // namespace
}  // namespace lifeboat::testing
