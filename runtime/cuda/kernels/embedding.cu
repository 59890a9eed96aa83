// Rows of tables by id. No atomics: whoever owns a row of the result looks for the rows that go there, and adds them in order; so the bits
// are the CPU's (runtime/kernels/packed/segments.h, row_groups.h).
#include "runtime/cuda/kernels/device.h"

/// A warp's sums of columns: lane, lane + 32, ... of a chunk of 32 * parts.
template <int parts> struct Sums {
  float of[parts];
  i64 column, width;
};

template <int parts> DEVICE Sums<parts> noSums(i64 width) {
  Sums<parts> made;
  made.column = (i64)blockY() * 32 * parts + laneX();
  made.width = width;
#pragma unroll
  for (int e = 0; e < parts; ++e) {
    made.of[e] = 0;
  }
  return made;
}

/// Adds rows row(0), row(1), ... of dy in order, `together` of them, which are loaded at once; those from `count` on are left out.
template <int parts, int together, class Row> DEVICE void addSome(Sums<parts> &sums, const float *dy, int count, Row row) {
  float loaded[together][parts];
#pragma unroll
  for (int r = 0; r < together; ++r) {
    const float *const from = dy + (r < count ? row(r) * sums.width : 0) + sums.column;
#pragma unroll
    for (int e = 0; e < parts; ++e) {
      loaded[r][e] = r < count && sums.column + 32 * e < sums.width ? from[32 * e] : 0.0f;
    }
  }
#pragma unroll
  for (int r = 0; r < together; ++r) {
#pragma unroll
    for (int e = 0; e < parts; ++e) {
      sums.of[e] = r < count ? sums.of[e] + loaded[r][e] : sums.of[e];
    }
  }
}
template <int parts, int together, class Row> DEVICE void addRows(Sums<parts> &sums, const float *dy, int count, Row row) {
  if (count >= together) {
    addSome<parts, together>(sums, dy, together, row); // of a constant number there are no conditions
  } else {
    addSome<parts, together>(sums, dy, count, row);
  }
}

template <int parts> DEVICE void storeSums(const Sums<parts> &sums, float *to) {
#pragma unroll
  for (int e = 0; e < parts; ++e) {
    if (sums.column + 32 * e < sums.width) {
      to[sums.column + 32 * e] = sums.of[e];
    }
  }
}

/// A warp a row of the table and chunk of columns. It reads all ids, 128 at once, and keeps the rows that it finds until there are enough
/// to load them together.
template <int parts, int together>
DEVICE void embeddingGradient(const i32 *ids, const i32 *source, const float *dy, i64 rows, i64 width, i64 vocabulary, float *dtable) {
  constexpr int atOnce = 4;
  SHARED(i32, queues, 4 * (32 * atOnce + together));
  i32 *const queue = queues + warpX() * (32 * atOnce + together);
  const i64 entry = (i64)blockX() * 4 + warpX();
  if (entry >= vocabulary) {
    return;
  }
  Sums<parts> sums = noSums<parts>(width);
  int waiting = 0;
  for (i64 first = 0; first < rows; first += 32 * atOnce) {
    bool mine[atOnce];
#pragma unroll
    for (int e = 0; e < atOnce; ++e) {
      const i64 row = first + 32 * e + laneX();
      const i32 id = row < rows ? ids[row] : -1;
      mine[e] = (id >= vocabulary ? vocabulary - 1 : id) == entry;
    }
#pragma unroll
    for (int e = 0; e < atOnce; ++e) {
      const u32 found = ballot(mine[e]);
      if (mine[e]) {
        const i64 row = first + 32 * e + laneX();
        queue[waiting + __builtin_popcount(found & ((1u << laneX()) - 1))] = source != nullptr ? source[row] : (i32)row;
      }
      waiting += __builtin_popcount(found);
    }
    if (waiting < together && first + 32 * atOnce < rows) {
      continue;
    }
    syncWarp();
    int done = 0;
    for (; waiting - done >= together || (done < waiting && first + 32 * atOnce >= rows); done += together) {
      addRows<parts, together>(sums, dy, waiting - done, [&](int r) { return (i64)queue[done + r]; });
    }
    // What is left moves to the front: fewer than `together`, at most a row a lane.
    const int left = waiting > done ? waiting - done : 0;
    const i32 kept = laneX() < left ? queue[done + laneX()] : 0;
    syncWarp();
    if (laneX() < left) {
      queue[laneX()] = kept;
    }
    syncWarp();
    waiting = left;
  }
  storeSums(sums, dtable + entry * width);
}

/// For tables of many rows, and of few, where more columns are other warps'.
KERNEL(128, embedding_grad,
       (const i32 *ids, const i32 *source, const float *dy, i64 capacity, const i64 *count, i64 width, i64 vocabulary, float *dtable)) {
  embeddingGradient<4, 8>(ids, source, dy, countOf(capacity, count), width, vocabulary, dtable);
}
KERNEL(128, embedding_grad_few,
       (const i32 *ids, const i32 *source, const float *dy, i64 capacity, const i64 *count, i64 width, i64 vocabulary, float *dtable)) {
  embeddingGradient<1, 32>(ids, source, dy, countOf(capacity, count), width, vocabulary, dtable);
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
  Sums<4> sums = noSums<4>(width);
  const i32 end = begins[group + 1];
  for (i32 at = begins[group]; at < end; at += 8) {
    addRows<4, 8>(sums, dy, end - at, [&](int r) {
      const i32 row = order[at + r];
      return (i64)(source != nullptr ? source[row] : row);
    });
  }
  storeSums(sums, gradient + group * width);
}
