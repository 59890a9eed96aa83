// No kernel reads or writes past its operands: each ends where an inaccessible page begins, so that
// a vector load too far kills the test.
#include "tests/unit/kernels/kernel_testing.h"

#include <sys/mman.h>
#include <unistd.h>

namespace penstock {
namespace {

using namespace penstock::testing;

/// `count` values that end at an inaccessible page.
template <class T> class Guarded {
public:
  explicit Guarded(std::int64_t count, std::uint32_t seed = 1) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t wanted = static_cast<std::size_t>(count) * sizeof(T);
    const std::size_t whole = (wanted + page - 1) / page * page;
    size = whole + page;
    base = static_cast<char *>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base + whole, page, PROT_NONE);
    values = reinterpret_cast<T *>(base + whole - wanted);
    Numbers numbers(seed);
    for (std::int64_t i = 0; i < count; ++i) {
      values[i] = static_cast<T>(numbers.next());
    }
  }
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;
  ~Guarded() { munmap(base, size); }
  operator T *() { return values; }

private:
  char *base;
  std::size_t size;
  T *values;
};
using GuardedFloats = Guarded<float>;
using Ints = Guarded<std::int32_t>;

TEST(Guards, contractionsStayInside) {
  const auto pool = makePool(1);
  for (const NamedTable &level : tables()) {
    const PenstockLevelTable &t = *level.table;
    for (const std::int64_t n : {1, 5, 17, 31, 33, 48}) {
      const std::int64_t k = 13, rows = 11;
      GuardedFloats w(k * n), packed(t.contractions.packedFloats(k, n)), x(rows * k), y(rows * n), bias(n), dw(k * n);
      for (const int transposed : {0, 1}) {
        t.contractions.pack(pool.get(), w, transposed ? k : n, k, n, transposed, packed);
        t.contractions.matmul(packed, k, n, x, k, y, n, rows, bias, transposed);
      }
      GuardedFloats room(rows * ((k + 31) / 32 * 32 + (n + 31) / 32 * 32) + 4096);
      t.contractions.weightGradient(pool.get(), k, n, x, k, y, n, rows, dw, room);
    }
  }
}

TEST(Guards, convolutionsStayInside) {
  const auto pool = makePool(1);
  for (const NamedTable &level : tables()) {
    const PenstockLevelTable &t = *level.table;
    for (const std::int64_t n : {1, 5, 17, 33}) {
      const std::int64_t width = 4, k = 19, records = 3, rows = 14;
      Ints offsets(records + 1), at(records * n);
      const std::int32_t ends[] = {0, 1, 4, 14};
      std::memcpy(offsets, ends, sizeof(ends));
      GuardedFloats w(width * k * n), packed(t.contractions.packedFloats(width * k, n)), flipped(t.contractions.packedFloats(width * n, k));
      const PenstockConv conv = {width, k, n, packed, flipped};
      GuardedFloats x(rows * k), y(rows * n), bias(n), dx(rows * k), dw(width * k * n), top(records * n),
          room(rows * ((k + 31) / 32 * 32 + (n + 31) / 32 * 32) + 4096), held(PENSTOCK_SCRATCH_FLOATS);
      t.convPack(&conv, w, pool.get(), packed, flipped);
      t.convRun(&conv, x, y, offsets, 0, records, bias, held);
      t.convGradientInput(&conv, y, dx, offsets, 0, records, 0, held);
      t.convGradientWeight(&conv, pool.get(), x, y, offsets, records, dw, room);
      t.convMax(&conv, x, offsets, 0, records, bias, top, at, held);
      t.convMaxGradientInput(&conv, w, top, at, dx, offsets, 0, records, 1);
      t.convMaxGradientWeight(&conv, pool.get(), x, top, at, offsets, records, dw);
    }
  }
}

TEST(Guards, attentionStaysInside) {
  for (const NamedTable &level : tables()) {
    const PenstockLevelTable &t = *level.table;
    for (const std::int64_t width : {1, 7, 32, 40, 300, 513}) {
      const std::int64_t heads = 2, records = 3, rows = 301;
      Ints offsets(records + 1);
      const std::int32_t ends[] = {0, 1, 14, 301};
      std::memcpy(offsets, ends, sizeof(ends));
      Guarded<std::uint64_t> numbers(records);
      GuardedFloats qkv(rows * 3 * heads * width), out(rows * heads * width), lse(rows * heads), dout(rows * heads * width),
          dqkv(rows * 3 * heads * width), held(PENSTOCK_SCRATCH_FLOATS);
      t.kernels.attention(qkv, out, lse, offsets, numbers, 0, records, heads, width, 0.1f, 1, 2, 3, held);
      t.kernels.attention_grad(qkv, out, lse, dout, dqkv, offsets, numbers, 0, records, heads, width, 0.1f, 1, 2, 3, held);
      GuardedFloats q(records * heads * width), kv(rows * 2 * heads * width), firstOut(records * heads * width), firstLse(records * heads),
          dfirst(records * heads * width), dq(records * heads * width), dkv(rows * 2 * heads * width);
      t.kernels.attention_first(q, kv, firstOut, firstLse, offsets, numbers, 0, records, heads, width, 0.1f, 1, 2, 3, held);
      t.kernels.attention_first_grad(q, kv, firstOut, firstLse, dfirst, dq, dkv, offsets, numbers, 0, records, heads, width, 0.1f, 1, 2, 3,
                                     held);
    }
  }
}

TEST(Guards, segmentsStayInside) {
  const auto pool = makePool(1);
  for (const NamedTable &level : tables()) {
    const PenstockLevelTable &t = *level.table;
    for (const std::int64_t width : {1, 2, 3, 17, 33, 131}) {
      const std::int64_t records = 3, rows = 14, vocabulary = 7;
      Ints offsets(records + 1), ids(rows), at(records * width);
      const std::int32_t ends[] = {0, 1, 4, 14};
      std::memcpy(offsets, ends, sizeof(ends));
      for (std::int64_t i = 0; i < rows; ++i) {
        ids[i] = static_cast<std::int32_t>(i % vocabulary);
      }
      GuardedFloats x(rows * width), y(records * width), table(vocabulary * width), counts(records * vocabulary), row(width);
      t.kernels.segment_sum(x, offsets, 0, records, width, y);
      t.kernels.segment_max(x, offsets, 0, records, width, y, at);
      t.kernels.segment_max_grad(y, at, offsets, 0, records, width, x);
      t.kernels.bag_sum(table, ids, offsets, 0, records, width, y);
      t.kernels.embedding_grad(pool.get(), ids, nullptr, x, rows, width, vocabulary, table, nullptr);
      t.kernels.counts(ids, offsets, 0, records, vocabulary, counts);
      GuardedFloats often(rows);
      t.kernels.occurrences(ids, offsets, 0, records, often);
      t.kernels.weighted_counts(ids, often, offsets, 0, records, vocabulary, counts);
      t.kernels.dropout_row(row, width, 1, 2, 3, 4, 5, 0.5f);
    }
  }
}

} // namespace
} // namespace penstock
