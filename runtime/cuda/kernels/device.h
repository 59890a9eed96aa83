// What a kernel may use of the machine, in two halves: clang's CUDA without any header of CUDA's (inline PTX and builtins, sm_80), and the
// emulator of the tests (emulated.h), for which the same files compile as C++.
//
//     KERNEL(128, segment_sum, (const float *x, const i32 *offsets, i64 width, float *y)) { ... }
//
// is a kernel of blocks of at most 128 threads, called `segment_sum` by its launcher. Arithmetic is IEEE's, nothing is contracted:
// `multiplyAdd` rounds once. Collectives (syncWarp, shuffles, ballot, mma, loadMatrix4) are for all threads of a warp, syncBlock for all of
// the block.
#pragma once

typedef int i32;
typedef unsigned int u32;
typedef long i64;
typedef unsigned long u64;
struct alignas(8) F2 {
  float x, y;
};
struct alignas(16) F4 {
  float x, y, z, w;
};
struct alignas(8) U2 {
  u32 x, y;
};
struct alignas(16) U4 {
  u32 x, y, z, w;
};

#ifdef PENSTOCK_EMULATED
#include "runtime/cuda/kernels/emulated.h"
#else

#define DEVICE static inline __attribute__((device, always_inline))
#define KERNEL(threads, name, parameters) extern "C" __attribute__((global, launch_bounds(threads))) void name parameters
/// The same where so many blocks shall fit into a multiprocessor at once: what registers a thread may have follows from it.
#define RESIDENT_KERNEL(threads, blocks, name, parameters)                                                                                 \
  extern "C" __attribute__((global, launch_bounds(threads, blocks))) void name parameters
/// `name`, an array of `count` elements that the block shares. A name stands in one kernel (or template) of its file.
#define SHARED(type, name, count) __attribute__((shared, aligned(16))) static type name[count]
/// `name`, an unsigned char * to the shared bytes that the launch asked for, at a multiple of 16.
#define DYNAMIC_SHARED(name) unsigned char *const name = dynamicShared

extern __attribute__((shared, aligned(16))) unsigned char dynamicShared[];

DEVICE int threadX() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE int blockThreads() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE int blockX() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE int blockY() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE int blockZ() { return __nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE int gridX() { return __nvvm_read_ptx_sreg_nctaid_x(); }
DEVICE int gridY() { return __nvvm_read_ptx_sreg_nctaid_y(); }
DEVICE void syncBlock() { __nvvm_barrier_sync(0); }
DEVICE void syncWarp() { __nvvm_bar_warp_sync(0xffffffffu); }
/// The value of the lane whose number differs by the bits of `mask`; of lane `lane`.
DEVICE u32 shuffleXor(u32 v, int mask) { return (u32)__nvvm_shfl_sync_bfly_i32(0xffffffffu, (int)v, mask, 0x1f); }
DEVICE u32 shuffleFrom(u32 v, int lane) { return (u32)__nvvm_shfl_sync_idx_i32(0xffffffffu, (int)v, lane, 0x1f); }
/// Bit i says what lane i says.
DEVICE u32 ballot(bool v) { return (u32)__nvvm_vote_ballot_sync(0xffffffffu, v); }

DEVICE u32 sharedAddress(const void *p) {
  u32 r;
  asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(r) : "l"(p));
  return r;
}
/// d += a . b of 16 x 16 and 16 x 8 bf16, sums in float32: PTX's m16n8k16.row.col fragments.
DEVICE void mma(float d[4], const u32 a[4], const u32 b[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
/// Four 8 x 8 matrices of 16-bit numbers; lane i gives the address of row i % 8 of matrix i / 8, in shared memory, a multiple of 16.
DEVICE void loadMatrix4(u32 r[4], const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(p))
               : "memory");
}
DEVICE void loadMatrix4Transposed(u32 r[4], const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(p))
               : "memory");
}
/// 16 (4) bytes from global to shared memory, there once this thread has waited for their group and, for other threads, the block is
/// synchronized; zeros where not `valid`, and then `from` is not read. Both at a multiple of their size.
DEVICE void copyAsync(void *to, const void *from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(valid ? 16 : 0) : "memory");
}
DEVICE void copyAsync4(void *to, const void *from, bool valid) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(valid ? 4 : 0) : "memory");
}
DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits for all groups but the last LEFT.
template <int LEFT> DEVICE void waitCopies() { asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory"); }
/// Both rounded to the nearest bf16, ties to even.
DEVICE u32 packBf16(float low, float high) {
  u32 r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
  return r;
}
/// Two units in the last place; subnormal arguments and results are zeros.
DEVICE float exp2Fast(float x) {
  float r;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
DEVICE float log2Fast(float x) {
  float r;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
  return r;
}
#endif

// ---- made of these -------------------------------------------------------------------------------------------------------------------

#define INFINITE __builtin_inff()

// Correctly rounded, all of them.
DEVICE float squareRoot(float x) { return __builtin_sqrtf(x); }
DEVICE float divide(float x, float y) { return x / y; }
DEVICE float multiplyAdd(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

template <class To, class From> DEVICE To bitsAs(From v) { return __builtin_bit_cast(To, v); }
DEVICE int laneX() { return threadX() % 32; }
DEVICE int warpX() { return threadX() / 32; }
DEVICE float shuffleXor(float v, int mask) { return bitsAs<float>(shuffleXor(bitsAs<u32>(v), mask)); }
DEVICE i32 shuffleXor(i32 v, int mask) { return (i32)shuffleXor((u32)v, mask); }
DEVICE float shuffleFrom(float v, int lane) { return bitsAs<float>(shuffleFrom(bitsAs<u32>(v), lane)); }
DEVICE i32 shuffleFrom(i32 v, int lane) { return (i32)shuffleFrom((u32)v, lane); }
DEVICE float bf16Low(u32 v) { return bitsAs<float>(v << 16); }
DEVICE float bf16High(u32 v) { return bitsAs<float>(v & 0xffff0000u); }
DEVICE float larger(float a, float b) { return a > b ? a : b; }
DEVICE i64 smaller(i64 a, i64 b) { return a < b ? a : b; }
DEVICE i64 divideUp(i64 a, i64 b) { return (a + b - 1) / b; }
/// What `count` says, or `capacity` where it is null (kernel_types.h).
DEVICE i64 countOf(i64 capacity, const i64 *count) { return count != nullptr ? *count : capacity; }
/// Over the warp, in every lane, by one fixed tree.
DEVICE float warpSum(float v) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) {
    v += shuffleXor(v, mask);
  }
  return v;
}
DEVICE float warpLargest(float v) {
#pragma unroll
  for (int mask = 16; mask > 0; mask >>= 1) {
    v = larger(v, shuffleXor(v, mask));
  }
  return v;
}
/// Over four neighbouring lanes, which hold a row of an mma fragment.
DEVICE float quadSum(float v) {
  v += shuffleXor(v, 1);
  return v + shuffleXor(v, 2);
}
DEVICE float quadLargest(float v) {
  v = larger(v, shuffleXor(v, 1));
  return larger(v, shuffleXor(v, 2));
}

// ---- random numbers, bit for bit those of runtime/kernels/packed/random.h --------------------------------------------------------------

DEVICE u64 mixBits(u64 z) {
  z += 0x9E3779B97F4A7C15ul;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ul;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBul;
  return z ^ (z >> 31);
}
DEVICE u64 philoxKey(u64 seed, u64 step, u64 key) { return mixBits(mixBits(mixBits(seed) ^ step) ^ key); }
DEVICE void philox(u32 c[4], u64 key) {
  u32 k0 = (u32)key, k1 = (u32)(key >> 32);
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const u64 p0 = (u64)c[0] * 0xD2511F53u, p1 = (u64)c[2] * 0xCD9E8D57u;
    c[0] = (u32)(p1 >> 32) ^ c[1] ^ k0;
    c[1] = (u32)p1;
    c[2] = (u32)(p0 >> 32) ^ c[3] ^ k1;
    c[3] = (u32)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}
