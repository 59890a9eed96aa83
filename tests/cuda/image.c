/* What a compiled program's kernels look like to the fake driver: a sum over the threads of a block, by each of the primitives. */
#include <stdint.h>

extern int32_t penstock_thread_index(void);
extern int32_t penstock_block_index(void);
extern int32_t penstock_grid_size(void);
extern void penstock_sync_block(void);
extern void penstock_sync_warp(void);
extern int32_t penstock_shuffle_xor(int32_t bits, int32_t mask);
extern void *penstock_shared(void);

const int32_t block_sums_arguments = 2;

/* out[block] = sum of the block's 256 numbers of x, in every block of the grid. */
void block_sums(void **arguments) {
  const int32_t *const x = *(const int32_t **)arguments[0];
  int32_t *const out = *(int32_t **)arguments[1];
  int32_t *const shared = (int32_t *)penstock_shared();
  const int32_t thread = penstock_thread_index(), block = penstock_block_index();
  int32_t sum = x[block * 256 + thread];
  for (int32_t mask = 16; mask > 0; mask >>= 1) {
    sum += penstock_shuffle_xor(sum, mask);
  }
  penstock_sync_warp();
  shared[thread] = sum;
  penstock_sync_block();
  if (thread == 0) {
    int32_t all = penstock_grid_size() * 1000000;
    for (int32_t i = 0; i < 256; i += 32) {
      all += shared[i];
    }
    out[block] = all;
  }
}
