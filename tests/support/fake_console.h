// A console whose person answers what the test says.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "app/console.h"

namespace lifeboat::testing {

class FakeConsole final : public app::Console {
 public:
  bool terminal = false;
  std::deque<std::string> answers;  // to questions, in order
  std::string input;                // standard input
  std::string command_output;
  std::vector<std::string> prompts;  // what was asked

  bool is_terminal(app::Stream) override { return terminal; }
  Result<std::string> ask(const std::string& prompt) override {
    prompts.push_back(prompt);
    if (answers.empty()) return fail(ErrorCode::kInterrupted, "nobody answers");
    std::string answer = answers.front();
    answers.pop_front();
    return answer;
  }
  Result<crypto::Secret> ask_secret(const std::string& prompt) override {
    const std::string answer = TRY(ask(prompt));
    return crypto::Secret(as_bytes(answer));
  }
  Result<crypto::Secret> read_input(std::size_t) override { return crypto::Secret(as_bytes(input)); }
  Result<crypto::Secret> output_of(const std::string& command, std::size_t) override {
    prompts.push_back(command);
    return crypto::Secret(as_bytes(command_output));
  }
};

}  // namespace lifeboat::testing
