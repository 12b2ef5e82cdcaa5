#include "cli/table.h"

#include <vector>

#include "cli/commands/commands.h"

namespace lifeboat::cli {

CommandTable commands() {
  static const std::vector<Command> table{
      init_command(),   agent_command(),  backup_etcd_command(), ls_command(),           show_command(),
      diff_command(),   log_command(),    verify_command(),      restore_etcd_command(), status_command(),
      import_command(), export_command(), help_command(),        version_command(),      config_view_command(),
  };
  return table;
}

}  // namespace lifeboat::cli
