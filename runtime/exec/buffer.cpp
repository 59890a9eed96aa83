#include "runtime/exec/buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace penstock {

// Below this, huge pages would only waste memory.
static constexpr std::size_t hugePage = std::size_t{2} << 20;

Result<Buffer> Buffer::map(std::size_t size, const char *what, bool zeros) {
  const std::size_t unit = size >= hugePage ? hugePage : 4096;
  if (size > (std::size_t{1} << 47)) {
    return environmentError(std::string(what) + " would need " + std::to_string(size >> 20) + " MiB, more than any machine has");
  }
  const std::size_t rounded = (size + unit - 1) / unit * unit + (size == 0 ? unit : 0);
  // The system's pages are zeros either way. A test fills those that are not asked to be, which it knows by the flag.
  const int reserve = zeros ? 0 : MAP_NORESERVE;
  void *memory = ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | reserve, -1, 0);
  if (memory == MAP_FAILED) {
    return environmentError("not enough memory for " + std::string(what) + ": " + std::to_string(rounded >> 20) + " MiB wanted (" +
                            std::strerror(errno) + ")");
  }
  if (rounded >= hugePage) {
    ::madvise(memory, rounded, MADV_HUGEPAGE);
  }
  Buffer buffer;
  buffer.memory = memory;
  buffer.bytes = rounded;
  return buffer;
}

void Buffer::release() {
  if (memory != nullptr) {
    ::munmap(memory, bytes);
    memory = nullptr;
    bytes = 0;
  }
}

} // namespace penstock
