// Rows of tables by id. No atomics: whoever owns a row of the result looks for the rows that go there, and adds them in order; so the bits
// are the CPU's (runtime/kernels/packed/segments.h, row_groups.h).
#include "runtime/cuda/kernels/device.h"

/// Columns that a warp has in registers: lane, lane + 32, ... of a chunk of 128.
constexpr int chunk = 128, part = 4;
/// Rows whose loads are under way at once.
constexpr int together = 8;

/// A warp's sums of one chunk of columns.
struct Sums {
  float of[part];
  i64 column, width;
};

DEVICE Sums noSums(i64 firstColumn, i64 width) { return {{0, 0, 0, 0}, firstColumn + laneX(), width}; }

/// Adds the first `count` of the rows, in order.
DEVICE void addRows(Sums &sums, const float *dy, const i64 (&rows)[together], int count) {
  float loaded[together][part];
#pragma unroll
  for (int r = 0; r < together; ++r) {
#pragma unroll
    for (int e = 0; e < part; ++e) {
      const i64 column = sums.column + 32 * e;
      loaded[r][e] = r < count && column < sums.width ? dy[rows[r] * sums.width + column] : 0.0f;
    }
  }
#pragma unroll
  for (int r = 0; r < together; ++r) {
#pragma unroll
    for (int e = 0; e < part; ++e) {
      sums.of[e] = r < count ? sums.of[e] + loaded[r][e] : sums.of[e];
    }
  }
}

DEVICE void storeSums(const Sums &sums, float *to) {
#pragma unroll
  for (int e = 0; e < part; ++e) {
    if (sums.column + 32 * e < sums.width) {
      to[sums.column + 32 * e] = sums.of[e];
    }
  }
}

/// A warp a row of the table and chunk of columns: it reads all ids.
KERNEL(128, embedding_grad,
       (const i32 *ids, const i32 *source, const float *dy, i64 capacity, const i64 *count, i64 width, i64 vocabulary, float *dtable)) {
  const i64 entry = (i64)blockX() * 4 + warpX(), rows = countOf(capacity, count);
  if (entry >= vocabulary) {
    return;
  }
  Sums sums = noSums((i64)blockY() * chunk, width);
  for (i64 first = 0; first < rows; first += 32) {
    const i64 mine = first + laneX();
    i32 id = mine < rows ? ids[mine] : -1;
    id = id >= vocabulary ? (i32)vocabulary - 1 : id;
    u32 found = ballot(id == entry);
    while (found != 0) {
      i64 these[together];
      int here = 0;
#pragma unroll
      for (int r = 0; r < together; ++r) {
        const i64 row = first + (found != 0 ? __builtin_ctz(found) : 0);
        here += found != 0 ? 1 : 0;
        found &= found - 1;
        these[r] = source != nullptr ? source[row] : row;
      }
      addRows(sums, dy, these, here);
    }
  }
  storeSums(sums, dtable + entry * width);
}

// ---- the rows by their ids: groups of kernel_rows.def, with the capacity in place of the rows -------------------------------------------

constexpr int groupsHeader = 16;

/// order[rank] = row, where the rank of a row is how many (id, row) are smaller: every pair is compared, through shared memory.
KERNEL(256, group_rows_order, (const i32 *ids, i64 capacity, const i64 *count, i64 vocabulary, i32 *groups)) {
  SHARED(i32, tile, 256);
  const i64 rows = countOf(capacity, count), row = (i64)blockX() * 256 + threadX();
  if ((i64)blockX() * 256 >= rows) {
    return;
  }
  const auto idOf = [&](i64 i) { return ids[i] < vocabulary ? ids[i] : (i32)vocabulary - 1; };
  const i32 id = row < rows ? idOf(row) : 0;
  i64 rank = 0;
  for (i64 first = 0; first < rows; first += 256) {
    syncBlock();
    if (first + threadX() < rows) {
      tile[threadX()] = idOf(first + threadX());
    }
    syncBlock();
    const int here = (int)smaller(256, rows - first);
    for (int j = 0; j < here; ++j) {
      rank += tile[j] < id || (tile[j] == id && first + j < row) ? 1 : 0;
    }
  }
  if (row < rows) {
    groups[groupsHeader + 2 * capacity + 1 + rank] = (i32)row;
  }
}

/// The ids and where the rows of each begin, by one block that walks the rows in the order of ids.
KERNEL(256, group_rows_heads, (const i32 *ids, i64 capacity, const i64 *count, i64 vocabulary, i32 *groups)) {
  SHARED(i32, heads, 8);
  const i64 rows = countOf(capacity, count);
  i32 *const unique = groups + groupsHeader, *const begins = unique + capacity;
  const i32 *const order = begins + capacity + 1;
  const auto idOf = [&](i64 place) {
    const i32 id = ids[order[place]];
    return id < vocabulary ? id : (i32)vocabulary - 1;
  };
  i32 before = 0;
  for (i64 first = 0; first < rows; first += 256) {
    const i64 place = first + threadX();
    const i32 id = place < rows ? idOf(place) : 0;
    const bool head = place < rows && (place == 0 || idOf(place - 1) != id);
    const u32 here = ballot(head);
    if (laneX() == 0) {
      heads[warpX()] = __builtin_popcount(here);
    }
    syncBlock();
    i32 number = before + __builtin_popcount(here & ((1u << laneX()) - 1));
#pragma unroll
    for (int w = 0; w < 8; ++w) {
      number += w < warpX() ? heads[w] : 0;
      before += heads[w];
    }
    if (head) {
      unique[number] = id;
      begins[number] = (i32)place;
    }
    syncBlock();
  }
  if (threadX() == 0) {
    begins[before] = (i32)rows;
    groups[0] = before;
  }
}

/// A warp a group and chunk of columns.
KERNEL(128, grouped_gradient, (const i32 *groups, const i32 *source, const float *dy, i64 capacity, i64 width, float *gradient)) {
  const i64 group = (i64)blockX() * 4 + warpX();
  if (group >= groups[0]) {
    return;
  }
  const i32 *const begins = groups + groupsHeader + capacity, *const order = begins + capacity + 1;
  Sums sums = noSums((i64)blockY() * chunk, width);
  const i32 end = begins[group + 1];
  for (i32 at = begins[group]; at < end; at += together) {
    i64 these[together];
#pragma unroll
    for (int r = 0; r < together; ++r) {
      const i64 row = at + r < end ? order[at + r] : 0;
      these[r] = source != nullptr ? source[row] : row;
    }
    addRows(sums, dy, these, end - at);
  }
  storeSums(sums, gradient + group * width);
}
