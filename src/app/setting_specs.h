// The table of settings: one row drives the flag, the variable, the key of the file, `config view`
// and the documentation.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lifeboat::app {

// kSpan: a duration, or "forever" (also "0"), which reads as zero.
enum class SettingType { kText, kPath, kRepo, kList, kSwitch, kDuration, kSpan, kNumber, kChoice };

struct SettingSpec {
  std::string_view name;  // of the key in the file; the flag has dashes for dots
  SettingType type{};
  std::string_view value;     // how help calls the value: "FILE"
  std::string_view fallback;  // the default
  std::string_view variable;  // "LIFEBOAT_…"; empty: none
  std::string_view foreign;   // a variable of another program that is read as well, after ours
  std::string_view help;
  char letter = 0;      // short flag
  bool secret = false;  // the value is never shown
  bool has_flag = true;
  bool in_file = true;
  std::string_view choices = {};   // kChoice: "table|json"
  std::string_view least = "1ms";  // kDuration: what is shorter would be cut to nothing
  std::string_view command = {};   // the only one that takes the flag; empty: every command does
};
// "--capture-flush" of "capture.flush".
std::string flag_of(const SettingSpec& spec);
std::span<const SettingSpec> setting_specs();
const SettingSpec* find_setting(std::string_view name);

}  // namespace lifeboat::app
