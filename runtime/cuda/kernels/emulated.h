// The emulator's half of device.h: a kernel is a C++ function that runs once a thread, and what crosses threads is the emulator's
// (tests/cuda/emulator). Included by device.h alone.
#pragma once

#pragma GCC visibility push(hidden)
extern "C" {
/// Where the running thread stands.
struct EmulatedPlace {
  int thread, threads;
  int block[3], grid[3];
};
extern EmulatedPlace emulated_place;

unsigned char *emulated_dynamic_shared(void);
/// The block's memory of one `site`, the address of any object that stands for it.
void *emulated_static_shared(const void *site, unsigned long bytes);
__attribute__((convergent)) void emulated_sync_block(void);
__attribute__((convergent)) void emulated_sync_warp(void);
__attribute__((convergent)) unsigned emulated_shuffle_xor(unsigned v, int mask);
__attribute__((convergent)) unsigned emulated_shuffle_from(unsigned v, int lane);
__attribute__((convergent)) unsigned emulated_ballot(bool v);
__attribute__((convergent)) void emulated_mma(float *d, const unsigned *a, const unsigned *b);
__attribute__((convergent)) void emulated_load_matrix(unsigned *r, const void *p, int transposed);
void emulated_copy_async(void *to, const void *from, int bytes, int valid);
void emulated_commit_copies(void);
void emulated_wait_copies(int left);

/// A kernel of the library. `call` runs it for one thread: addresses of its arguments, `sizes` their bytes.
struct EmulatedKernel {
  const char *name;
  int threads;
  void (*call)(void *const *arguments);
  const unsigned *sizes;
  int count;
};
/// `kernel` lives as long as the process. `whole`: computes all of a launch at once, with the kernel's bits, in place of its threads where
/// that is asked for.
void emulated_register(const struct EmulatedKernel *kernel, bool whole);
}
#pragma GCC visibility pop

template <auto function> struct EmulatedCall;
template <class... A, void (*function)(A...)> struct EmulatedCall<function> {
  static constexpr unsigned sizes[sizeof...(A) + 1] = {sizeof(A)...};
  static void call(void *const *arguments) { spread(arguments, __make_integer_seq<Sequence, int, (int)sizeof...(A)>()); }
  static EmulatedKernel kernel(const char *name, int threads) { return {name, threads, call, sizes, (int)sizeof...(A)}; }

private:
  template <class T, T... i> struct Sequence {};
  template <int... i> static void spread(void *const *arguments, Sequence<int, i...>) { function(*static_cast<A *>(arguments[i])...); }
};
struct EmulatedRegistration {
  EmulatedRegistration(const EmulatedKernel &kernel, bool whole) : kernel(kernel) { emulated_register(&this->kernel, whole); }
  EmulatedKernel kernel;
};

#define DEVICE [[maybe_unused]] static inline __attribute__((always_inline))
#define KERNEL(threads, name, parameters)                                                                                                  \
  static void name parameters;                                                                                                             \
  static const EmulatedRegistration name##Registered(EmulatedCall<name>::kernel(#name, threads), false);                                   \
  static void name parameters
#define RESIDENT_KERNEL(threads, blocks, name, parameters) KERNEL(threads, name, parameters)
/// The same on the host, once a launch: a loop over what the launch's blocks do. `emulated_place` holds the grid.
#define WHOLE_KERNEL(name, parameters)                                                                                                     \
  static void name##Whole parameters;                                                                                                      \
  static const EmulatedRegistration name##WholeRegistered(EmulatedCall<name##Whole>::kernel(#name, 0), true);                              \
  static void name##Whole parameters
#define SHARED(type, name, count)                                                                                                          \
  static char name##Site;                                                                                                                  \
  auto &name = *static_cast<type(*)[count]>(emulated_static_shared(&name##Site, sizeof(type) * (count)))
#define DYNAMIC_SHARED(name) unsigned char *const name = emulated_dynamic_shared()

DEVICE int threadX() { return emulated_place.thread; }
DEVICE int blockThreads() { return emulated_place.threads; }
DEVICE int blockX() { return emulated_place.block[0]; }
DEVICE int blockY() { return emulated_place.block[1]; }
DEVICE int blockZ() { return emulated_place.block[2]; }
DEVICE int gridX() { return emulated_place.grid[0]; }
DEVICE int gridY() { return emulated_place.grid[1]; }
DEVICE void syncBlock() { emulated_sync_block(); }
DEVICE void syncWarp() { emulated_sync_warp(); }
DEVICE u32 shuffleXor(u32 v, int mask) { return emulated_shuffle_xor(v, mask); }
DEVICE u32 shuffleFrom(u32 v, int lane) { return emulated_shuffle_from(v, lane); }
DEVICE u32 ballot(bool v) { return emulated_ballot(v); }
DEVICE void mma(float d[4], const u32 a[4], const u32 b[2]) { emulated_mma(d, a, b); }
DEVICE void loadMatrix4(u32 r[4], const void *p) { emulated_load_matrix(r, p, 0); }
DEVICE void loadMatrix4Transposed(u32 r[4], const void *p) { emulated_load_matrix(r, p, 1); }
DEVICE void copyAsync(void *to, const void *from, bool valid) { emulated_copy_async(to, from, 16, valid); }
DEVICE void copyAsync4(void *to, const void *from, bool valid) { emulated_copy_async(to, from, 4, valid); }
DEVICE void commitCopies() { emulated_commit_copies(); }
template <int LEFT> DEVICE void waitCopies() { emulated_wait_copies(LEFT); }
DEVICE u32 emulatedBf16(float x) {
  const u32 u = __builtin_bit_cast(u32, x);
  return (u & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (u + 0x7fff + (u >> 16 & 1)) >> 16;
}
DEVICE u32 packBf16(float low, float high) { return emulatedBf16(low) | emulatedBf16(high) << 16; }
DEVICE float emulatedFlush(float x) { return __builtin_fabsf(x) < 0x1p-126f ? __builtin_copysignf(0.0f, x) : x; }
DEVICE float exp2Fast(float x) { return emulatedFlush(__builtin_exp2f(emulatedFlush(x))); }
DEVICE float log2Fast(float x) { return emulatedFlush(__builtin_log2f(emulatedFlush(x))); }
