// The records of train with the largest inner products, by exact search over all of them. The state, all numbers little-endian: "NEAREST1",
// width and records (uint64), records x width float32, records x row number (int64), records + 1 offsets (uint64) and the texts' bytes.
#include <penstock/sdk/learner.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace {

using namespace penstock;

static_assert(std::endian::native == std::endian::little);
constexpr std::string_view magic = "NEAREST1";

class NearestFit {
public:
  NearestFit(const sdk::Parameters &, const sdk::Learning &learning) : width(learning.width) {}

  void add(const sdk::Example &example) {
    if (example.row.size() != width) {
      throw sdk::Failure("a record has " + std::to_string(example.row.size()) + " numbers, the first had " + std::to_string(width));
    }
    values.insert(values.end(), example.row.begin(), example.row.end());
    rows.push_back(example.number);
    texts.append(example.text);
    offsets.push_back(texts.size());
  }

  std::string end() {
    std::string state(magic);
    append(state, std::array<std::uint64_t, 2>{width, rows.size()});
    append(state, values);
    append(state, rows);
    append(state, offsets);
    return state + texts;
  }

private:
  template <typename T> static void append(std::string &state, const T &items) {
    state.append(reinterpret_cast<const char *>(items.data()), items.size() * sizeof(items[0]));
  }

  std::size_t width;
  std::vector<float> values;
  std::vector<std::int64_t> rows;
  std::vector<std::uint64_t> offsets = {0};
  std::string texts;
};

class Nearest {
public:
  Nearest(const sdk::Parameters &parameters, const sdk::Learning &, std::string_view state)
      : k(static_cast<std::size_t>(parameters.integer("k"))) {
    if (state.substr(0, magic.size()) != magic) {
      damaged();
    }
    state.remove_prefix(magic.size());
    const std::vector<std::uint64_t> sizes = take<std::uint64_t>(state, 2);
    width = sizes[0];
    const std::uint64_t records = sizes[1];
    if (width == 0 || (records > 0 && width > state.size() / records)) {
      damaged(); // so that the product below does not overflow
    }
    values = take<float>(state, records * width);
    rows = take<std::int64_t>(state, records);
    offsets = take<std::uint64_t>(state, records + 1);
    texts = state;
    if (offsets.front() != 0 || offsets.back() != texts.size() || !std::is_sorted(offsets.begin(), offsets.end())) {
      damaged();
    }
  }

  std::vector<sdk::Field> describe() const {
    return {sdk::Field::structs(
                "nearest", {sdk::Field::text("text").means("text"), sdk::Field::f32("similarity").means("score"), sdk::Field::i64("row")})
                .list()};
  }

  struct Found {
    float similarity = 0;
    std::size_t record = 0;
    bool operator<(const Found &other) const {
      if (similarity != other.similarity) { // what is no number comes last
        return similarity > other.similarity || (std::isnan(other.similarity) && !std::isnan(similarity));
      }
      return record < other.record;
    }
  };
  struct Scratch {
    std::vector<Found> found;
  };

  void answer(std::span<const float> row, sdk::ColumnWriter &out, Scratch &scratch) const {
    if (row.size() != width) {
      throw sdk::Failure("the records have " + std::to_string(width) + " numbers each, this one has " + std::to_string(row.size()));
    }
    std::vector<Found> &found = scratch.found;
    found.resize(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      found[i] = {inner(values.data() + i * width, row.data(), width), i};
    }
    const std::size_t count = std::min(k, found.size());
    std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end());
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = found[i].record;
      out[0][0].add(std::string_view(texts).substr(offsets[at], offsets[at + 1] - offsets[at]));
      out[0][1].add(found[i].similarity);
      out[0][2].add(rows[at]);
      out[0].endStruct();
    }
  }

private:
  /// In a fixed order: eight sums side by side, which are then added up.
  static float inner(const float *a, const float *b, std::size_t count) {
    std::array<float, 8> sums = {};
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) {
        sums[lane] += a[i + lane] * b[i + lane];
      }
    }
    for (; i < count; ++i) {
      sums[i % 8] += a[i] * b[i];
    }
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  }

  [[noreturn]] static void damaged() { throw sdk::Failure("the fitted state is damaged; train again"); }

  template <typename T> static std::vector<T> take(std::string_view &state, std::uint64_t count) {
    if (count > state.size() / sizeof(T)) {
      damaged();
    }
    std::vector<T> items(count);
    std::memcpy(items.data(), state.data(), count * sizeof(T));
    state.remove_prefix(count * sizeof(T));
    return items;
  }

  std::size_t k;
  std::uint64_t width = 0;
  std::vector<float> values; // records x width
  std::vector<std::int64_t> rows;
  std::vector<std::uint64_t> offsets;
  std::string texts;
};

} // namespace

PENSTOCK_FITTED_LEARNER(Nearest, NearestFit, "nearest", "1.1.0")
