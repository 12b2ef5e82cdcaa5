// Names of threads, as `top -H` and /proc/PID/task show them.
#pragma once

#include <pthread.h>

namespace lifeboat {

// Of the calling thread; threads that it starts have the same name until they take their own. At most 15 characters.
inline void name_thread(const char* name) { pthread_setname_np(pthread_self(), name); }

}  // namespace lifeboat
