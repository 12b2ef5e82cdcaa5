// Where the programs are that tests run.
#pragma once

#include <string>

namespace lifeboat::testing {

// The lifeboat program under test: $LIFEBOAT_BINARY, else the one of this build.
std::string lifeboat_binary();
// A file of the checkout, e.g. source_path("tests/storage/golden").
std::string source_path(const std::string& relative);
// The folder of server "3.4" | "3.5" | "3.6" | "3.7" with etcd, etcdctl and (from 3.5 on) etcdutl and bbolt, or
// of "oracle". Asks scripts/servers once a process, which builds what is missing; $LIFEBOAT_SERVERS names a
// folder with ready ones instead (LIFEBOAT_SERVERS/3.6/etcd). Throws std::runtime_error.
const std::string& server_folder(const std::string& version);
std::string server_program(const std::string& version, const std::string& program);

}  // namespace lifeboat::testing
