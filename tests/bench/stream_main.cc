// bench_stream ENDPOINT: receives a snapshot and drops it; what the server and the transport cost alone.
#include <fmt/format.h>

#include "source/etcd/bare_stream.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: bench_stream ENDPOINT\n");
    return 2;
  }
  lifeboat::source::ClientOptions options;
  options.endpoints = {argv[1]};
  const auto clock = lifeboat::io::system_clock();
  const auto bytes = lifeboat::source::receive_bare_snapshot(std::move(options), argv[1], *clock);
  if (!bytes) {
    fmt::print(stderr, "{}\n", bytes.error().to_string());
    return 1;
  }
  fmt::print("{}\n", *bytes);
  return 0;
}
