// The commands, one a file; cli/table.h has them in order.
#pragma once

#include "cli/grammar/command.h"

namespace lifeboat::cli {

Command init_command();
Command backup_etcd_command();
Command import_command();
Command export_command();
Command ls_command();
Command show_command();
Command diff_command();
Command log_command();
Command verify_command();
Command restore_etcd_command();
Command status_command();
Command agent_command();
Command config_view_command();
Command help_command();
Command version_command();

}  // namespace lifeboat::cli
