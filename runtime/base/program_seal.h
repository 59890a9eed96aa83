// The end of the file of a compiled program: what tells a whole one from one that was cut, lengthened or damaged, whatever else
// vouches for it.
#pragma once

#include "runtime/base/hash.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// The last bytes of the file, behind the shared library, in the byte order of the machine.
struct ProgramSeal {
  char mark[8] = {'P', 'E', 'N', 'S', 'S', 'E', 'A', 'L'};
  std::uint64_t size = 0; // of the library
  std::uint64_t key = 0;  // what it is the answer to, for the compile cache; 0 elsewhere
  std::uint64_t hash = 0; // XXH64 of the library, seeded with the key
};
static_assert(sizeof(ProgramSeal) == 32);

inline ProgramSeal sealOf(std::string_view library, std::uint64_t key) {
  ProgramSeal seal;
  seal.size = library.size();
  seal.key = key;
  seal.hash = hash64(library, key);
  return seal;
}

/// The seal's bytes.
inline std::string_view bytesOf(const ProgramSeal &seal) { return {reinterpret_cast<const char *>(&seal), sizeof(seal)}; }

/// The library in a sealed file, and its key where asked; nothing where there is no seal or it does not fit the bytes before it.
inline std::optional<std::string_view> sealedLibrary(std::string_view file, std::uint64_t *key = nullptr) {
  if (file.size() < sizeof(ProgramSeal)) {
    return {};
  }
  const std::string_view library = file.substr(0, file.size() - sizeof(ProgramSeal));
  ProgramSeal seal;
  std::memcpy(&seal, library.data() + library.size(), sizeof(seal));
  const ProgramSeal expected = sealOf(library, seal.key);
  if (std::memcmp(&seal, &expected, sizeof(seal)) != 0) {
    return {};
  }
  if (key != nullptr) {
    *key = seal.key;
  }
  return library;
}

} // namespace penstock
