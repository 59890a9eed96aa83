// Seals a library in place, as the compiler does: exec_seal FILE.
#include "runtime/base/program_seal.h"

#include <fstream>
#include <sstream>

int main(int, char **arguments) {
  std::ostringstream library;
  library << std::ifstream(arguments[1], std::ios::binary).rdbuf();
  const penstock::ProgramSeal seal = penstock::sealOf(library.str(), 0);
  std::ofstream file(arguments[1], std::ios::binary | std::ios::app);
  file << penstock::bytesOf(seal) << std::flush;
  return file ? 0 : 1;
}
