#include "tests/cuda/driver/memory.h"

#include "tests/cuda/driver/settings.h"
#include "tests/cuda/emulator/emulator.h"

#include <sys/mman.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

extern "C" {
__attribute__((weak)) void __asan_poison_memory_region(void const volatile *addr, std::size_t size);
__attribute__((weak)) void __asan_unpoison_memory_region(void const volatile *addr, std::size_t size);
}

namespace penstock::fake {

namespace {

constexpr std::size_t regionBytes = std::size_t{1} << 38; // of addresses; memory is taken as it is touched
constexpr std::size_t page = 4096, alignment = 256, filled = std::size_t{64} << 20;

struct Allocation {
  std::size_t pages, pageBytes; // where its pages begin, and how many bytes they are
  std::size_t bytes;
};

char *region = nullptr;
std::size_t end = page; // of what was ever given
std::int64_t used = 0;
std::map<std::size_t, Allocation> allocations; // by their place
int open = 0;

void protect(const Allocation &allocation, int how) { ::mprotect(region + allocation.pages, allocation.pageBytes, how); }

std::map<std::size_t, Allocation>::const_iterator find(const void *at) {
  const auto place = static_cast<std::size_t>(static_cast<const char *>(at) - region);
  if (region == nullptr || static_cast<const char *>(at) < region || place >= regionBytes) {
    return allocations.end();
  }
  const auto after = allocations.upper_bound(place);
  if (after == allocations.begin() || place - std::prev(after)->first >= std::max<std::size_t>(std::prev(after)->second.bytes, 1)) {
    return allocations.end();
  }
  return std::prev(after);
}

void explain(int signal, siginfo_t *info, void *) {
  const char *const at = static_cast<const char *>(info->si_addr);
  if (region != nullptr && at >= region && at < region + regionBytes) {
    int block[3], thread;
    const char *const kernel = emulator::running(block, thread);
    if (*kernel != '\0') {
      std::fprintf(stderr, "fake CUDA: the kernel %s (block %d,%d,%d, thread %d) touches ", kernel, block[0], block[1], block[2], thread);
    } else {
      std::fprintf(stderr, "fake CUDA: the host touches ");
    }
    const auto found = find(at);
    const auto before = std::find_if(allocations.rbegin(), allocations.rend(), [&](const auto &one) { return region + one.first <= at; });
    if (found != allocations.end()) {
      std::fprintf(stderr, "memory of the device, byte %td of %zu\n", at - region - static_cast<std::ptrdiff_t>(found->first),
                   found->second.bytes);
    } else if (before != allocations.rend()) {
      std::fprintf(stderr, "what is no memory, %td bytes behind the beginning of %zu\n",
                   at - region - static_cast<std::ptrdiff_t>(before->first), before->second.bytes);
    } else {
      std::fprintf(stderr, "what is no memory\n");
    }
  }
  ::signal(signal, SIG_DFL); // the instruction runs again
}

} // namespace

void *allocateDevice(std::size_t bytes) {
  if (region == nullptr) {
    void *const got = ::mmap(nullptr, regionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) {
      return nullptr;
    }
    region = static_cast<char *>(got);
  }
  if (bytes > regionBytes || static_cast<std::int64_t>(bytes) > freeBytes()) {
    return nullptr;
  }
  const std::size_t pageBytes = (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
  if (pageBytes + page > regionBytes - end) {
    return nullptr;
  }
  const Allocation made = {end, pageBytes, bytes};
  const std::size_t place = end + (pageBytes - std::max<std::size_t>(bytes, 1)) / alignment * alignment;
  end += pageBytes + page;
  used += static_cast<std::int64_t>(bytes);
  counts().mostMemory = std::max(counts().mostMemory, used);
  protect(made, PROT_READ | PROT_WRITE);
  std::memset(region + place, 0xFF, std::min(bytes, filled));
  if (__asan_poison_memory_region != nullptr) {
    __asan_poison_memory_region(region + made.pages, pageBytes);
    __asan_unpoison_memory_region(region + place, bytes);
  }
  if (open == 0 && !settings().open) {
    protect(made, PROT_NONE);
  }
  allocations.emplace(place, made);
  return region + place;
}

bool freeDevice(void *memory) {
  const auto found = find(memory);
  if (found == allocations.end() || region + found->first != memory) {
    return false;
  }
  const Allocation &gone = found->second;
  used -= static_cast<std::int64_t>(gone.bytes);
  ::madvise(region + gone.pages, gone.pageBytes, MADV_DONTNEED);
  protect(gone, PROT_NONE);
  allocations.erase(found);
  return true;
}

bool onDevice(const void *from, std::size_t bytes) {
  const auto found = find(from);
  const auto place = static_cast<std::size_t>(static_cast<const char *>(from) - region);
  return found != allocations.end() && bytes <= found->second.bytes - (place - found->first);
}

std::int64_t freeBytes() { return settings().memory - used; }

OpenMemory::OpenMemory() {
  if (open++ == 0 && !settings().open) {
    for (const auto &[place, allocation] : allocations) {
      protect(allocation, PROT_READ | PROT_WRITE);
    }
  }
}

OpenMemory::~OpenMemory() {
  if (--open == 0 && !settings().open && region != nullptr) {
    ::mprotect(region, end, PROT_NONE);
  }
}

void explainFaults() {
  struct sigaction now = {};
  if (::sigaction(SIGSEGV, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL) {
    now.sa_sigaction = explain;
    now.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &now, nullptr);
  }
}

} // namespace penstock::fake
