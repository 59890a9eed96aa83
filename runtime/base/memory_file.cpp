#include "runtime/base/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace penstock {

Descriptor memoryFile(std::string_view bytes, const char *name) {
  Descriptor file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
  if (!file.ok() && errno == EINVAL) { // a kernel before 6.3
    file = Descriptor(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  }
  if (file.ok() && !writeAll(file.get(), bytes.data(), bytes.size())) {
    return Descriptor();
  }
  if (file.ok() && ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return Descriptor();
  }
  return file;
}

} // namespace penstock
