// TcpProxy: a network between a client and a server on loopback that a test cuts, holds, slows and mends.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace lifeboat::testing {

// Forwards TCP connections to 127.0.0.1:`target_port` until it goes out of scope. Usable from any thread.
class TcpProxy {
 public:
  // Throws std::runtime_error when it cannot listen.
  explicit TcpProxy(std::uint16_t target_port);
  // Of "127.0.0.1:20001" or "http://127.0.0.1:20001".
  explicit TcpProxy(const std::string& target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::uint16_t port() const;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  // Every connection is reset, and new ones are as soon as they are made.
  void cut();
  // Connections stay and new ones are accepted, but nothing passes.
  void hold();
  // Everything passes again, what was held first.
  void resume();
  // What comes from now on passes this much later.
  void delay(std::chrono::milliseconds time);

  // Made since the start.
  std::uint64_t connections() const;
  std::uint64_t forwarded_bytes() const;
  // The most that was under way to one side at once: heard, and not yet passed on.
  std::uint64_t most_held_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lifeboat::testing
