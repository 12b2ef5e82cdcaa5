// App: what every command works with — settings, seams, and the repo and etcd client they lead to.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/console.h"
#include "app/credentials.h"
#include "app/environment.h"
#include "app/settings.h"
#include "base/ids.h"
#include "io/work_limits.h"
#include "io/world.h"
#include "repository/store/repository.h"
#include "source/etcd/client.h"
#include "storage/object_store.h"

namespace lifeboat::app {

// What main builds once and lends to the App.
struct Surroundings {
  io::World& world;
  Console& console;
  const Environment& environment;
  std::string working_directory;  // absolute; empty: it was removed
};

class App {
 public:
  App(const Surroundings& surroundings, Settings settings)
      : surroundings_(surroundings), settings_(std::move(settings)), warned_(settings_.warnings()) {}

  const Settings& settings() const { return settings_; }
  io::World& world() const { return surroundings_.world; }
  Console& console() const { return surroundings_.console; }
  // Hears every sentence that the person should see, once, as soon as it is known; now those of before. It is called
  // by whichever thread uses the App, by one at a time.
  void on_warning(std::function<void(const std::string&)> listener);

  // kNoRepoGiven without one. The store lives as long as the App.
  Result<storage::ObjectStore*> store();
  // Puts a decorator before the repo's store; before the repo is opened.
  void set_store(std::unique_ptr<storage::ObjectStore> store) { store_ = std::move(store); }
  std::string repo_path() const;  // of a repo that is a directory; empty when none is given
  // Opened on first use.
  Result<const repository::Repository*> repo();
  Result<repository::Repository::InitReport> init_repo(bool new_key);

  // Reads the TLS files and the password; dials lazily.
  Result<std::unique_ptr<source::Client>> etcd();
  // Changes with the content of the TLS and password files; those that cannot be read count as empty.
  Sha256 etcd_files_digest() const;
  // Settings as variables and files say them now, with the same flags; what is odd about them is warned of. The repo
  // stays open as it is.
  Status reload_settings();
  // The same error, with kubeadm's certificates proposed when they are there and none were given.
  Error explain_etcd_error(const Error& error) const;

  Result<std::string> absolute(std::string_view path) const;  // as absolute_path
  // Absolute, and outside of every repo, where plain data would stand beside what is sealed, and be taken for damage.
  // `what` names it in messages. kUsage.
  Result<std::string> output_path(std::string_view path, std::string_view what) const;
  io::WorkLimits work_limits() const;

 private:
  void warn(const std::string& sentence);
  CredentialSources credential_sources();
  Result<repository::Repository::InitReport> make_repo(storage::ObjectStore& objects,
                                                       const std::vector<repository::Credential>& credentials);
  // Of the PEM file that a setting names; empty without one.
  Result<crypto::Secret> read_pem(const std::string& setting);

  Surroundings surroundings_;
  Settings settings_;
  std::mutex warnings_mutex_;
  std::vector<std::string> warned_;
  std::function<void(const std::string&)> warning_listener_;
  std::unique_ptr<storage::ObjectStore> store_;
  std::unique_ptr<repository::Repository> repo_;
};

}  // namespace lifeboat::app
