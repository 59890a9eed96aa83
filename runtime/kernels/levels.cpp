// Which instruction-set level this machine has.
#include "runtime/base/level_names.h"
#include "runtime/kernels/handles.h"

#include <cpuid.h>
#include <cstdlib>
#include <sys/syscall.h>
#include <unistd.h>

namespace penstock {
namespace {

struct Leaf {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Leaf cpuid(unsigned leaf, unsigned sub) {
  Leaf l;
  if (__get_cpuid_count(leaf, sub, &l.a, &l.b, &l.c, &l.d) == 0) {
    return {};
  }
  return l;
}

/// What the operating system saves at a context switch: bit 1 SSE, 2 AVX, 5..7 AVX-512, 17 and 18
/// AMX.
unsigned long long savedState() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<unsigned long long>(high) << 32 | low;
}

bool bit(unsigned word, int number) { return (word >> number & 1) != 0; }

Result<Level> detect() {
  const Leaf one = cpuid(1, 0), seven = cpuid(7, 0);
  const bool osSaves = bit(one.c, 27);
  const unsigned long long saved = osSaves ? savedState() : 0;
  const bool avxState = (saved & 0x6) == 0x6;
  const struct {
    const char *name;
    bool present;
  } needed[] = {{"AVX", bit(one.c, 28) && avxState},
                {"AVX2", bit(seven.b, 5)},
                {"FMA", bit(one.c, 12)},
                {"F16C", bit(one.c, 29)},
                {"BMI2", bit(seven.b, 8)}};
  std::string missing;
  for (const auto &feature : needed) {
    if (!feature.present) {
      missing += (missing.empty() ? "" : ", ") + std::string(feature.name);
    }
  }
  if (!missing.empty()) {
    return environmentError("this machine lacks " + missing +
                            "; compiled pipelines need AVX2 and FMA (x86-64-v3: Intel since 2013, AMD since 2015); "
                            "in a virtual machine, pass the host's processor through");
  }
  const bool avx512 =
      (saved & 0xE0) == 0xE0 && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31); // F, DQ, BW, VL
  if (!avx512) {
    return Level::avx2;
  }
  const bool amx = (saved & 0x60000) == 0x60000 && bit(seven.d, 22) && bit(seven.d, 24) && bit(seven.d, 25);
  return amx ? Level::amx : Level::avx512;
}

/// AVX512-BF16; CPUID tells it in subleaf 1.
bool hasAvx512Bf16() { return cpuid(7, 0).a >= 1 && bit(cpuid(7, 1).a, 5); }

/// Linux keeps the tile registers from a process until it asks: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA), once, for all
/// threads.
bool mayUseTiles() {
  static const bool granted = ::syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  return granted;
}

} // namespace

std::string_view bf16Instructions(Level level) {
  if (level == Level::avx2 || !hasAvx512Bf16()) {
    return "";
  }
  return level == Level::amx && mayUseTiles() ? "amx" : "avx512_bf16";
}

const PenstockContractions *bf16Contractions(Level level) {
  const std::string_view by = bf16Instructions(level);
  return by == "amx" ? &penstockAmxBf16 : by == "avx512_bf16" ? &penstockAvx512Bf16 : nullptr;
}

Result<Level> parseLevel(std::string_view name) {
  for (const Level level : {Level::avx2, Level::avx512, Level::amx}) {
    if (name == levelName(level)) {
      return level;
    }
  }
  return invalidInput("`" + std::string(name) + "` is not a level; levels are `avx2`, `avx512` and `amx`");
}

std::string_view levelName(Level level) {
  static_assert(static_cast<std::size_t>(Level::amx) + 1 == levelNames.size());
  return levelNames[static_cast<std::size_t>(level)];
}

Result<Level> machineLevel() {
  static const Result<Level> machine = detect();
  if (!machine.ok()) {
    return machine;
  }
  const char *asked = std::getenv("PENSTOCK_LEVEL");
  if (asked == nullptr || *asked == '\0') {
    return machine;
  }
  PENSTOCK_ASSIGN(const Level level, parseLevel(asked));
  return level < *machine ? level : *machine;
}

const PenstockLevelTable &levelTable(Level level) { return level == Level::avx2 ? penstockAvx2Table : penstockAvx512Table; }

} // namespace penstock
