#include "io/free_memory.h"

#include <malloc.h>

namespace lifeboat::io {

void give_back_free_memory() { ::malloc_trim(0); }

}  // namespace lifeboat::io
