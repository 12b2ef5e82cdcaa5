// Console: the person at the terminal: questions, secrets typed without echo, standard input.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace lifeboat::app {

enum class Stream { kInput, kOutput, kError };

class Console {
 public:
  virtual ~Console() = default;
  virtual bool is_terminal(Stream stream) = 0;
  // One line, typed at the terminal; kInterrupted when it is cancelled. Only when input and errors
  // are a terminal.
  virtual Result<std::string> ask(const std::string& prompt) = 0;
  virtual Result<crypto::Secret> ask_secret(const std::string& prompt) = 0;
  // Everything on standard input, at most `limit` bytes.
  virtual Result<crypto::Secret> read_input(std::size_t limit) = 0;
  // What a shell command prints, at most `limit` bytes; kUnreadableInput when it fails. It sees no variable that holds
  // a secret.
  virtual Result<crypto::Secret> output_of(const std::string& command, std::size_t limit) = 0;
};

std::unique_ptr<Console> system_console();

}  // namespace lifeboat::app
