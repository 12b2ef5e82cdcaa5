// Memory that was freed, and that the allocator keeps.
#pragma once

namespace lifeboat::io {

// To the system, after a burst of work; takes milliseconds.
void give_back_free_memory();

}  // namespace lifeboat::io
