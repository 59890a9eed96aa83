// Counts the allocations of a test program, by operators that replace those of the library. Include it in one file of the program.
#pragma once

#include <atomic>
#include <cstdlib>
#include <new>

inline std::atomic<long> allocations{0};
inline thread_local long allocationsOfThread = 0;

// A sanitizer has operators of its own.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool countsAllocations = false;
#else
inline constexpr bool countsAllocations = true;
void *operator new(std::size_t bytes) {
  ++allocations;
  ++allocationsOfThread;
  if (void *const memory = std::malloc(bytes == 0 ? 1 : bytes)) {
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
#endif
