# Warnings are errors in our own code; generated code is compiled without this target.
add_library(lifeboat_warnings INTERFACE)
target_compile_options(lifeboat_warnings INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wnull-dereference -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives of these with std::expected and std::vector at -O2.
  target_compile_options(lifeboat_warnings INTERFACE
    -Wno-maybe-uninitialized -Wno-null-dereference -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict)
endif()

if(LIFEBOAT_SANITIZE)
  add_compile_options(-fsanitize=${LIFEBOAT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LIFEBOAT_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND LIFEBOAT_SANITIZE MATCHES "thread")
    # Boost.Asio has fences, which the sanitizer does not see; what it watches here are our own locks and atomics.
    add_compile_options(-Wno-tsan)
  endif()
endif()
