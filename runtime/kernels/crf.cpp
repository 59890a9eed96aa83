// The linear-chain conditional random field (arXiv 1508.01991) over the rows of records. A chain has tens of rows and tens of
// tags, so plain loops in float64 serve every level alike; what is kept between forward and backward is normalized row by row
// and loses nothing as float32.
#include "runtime/kernels/kernels.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace {

/// Scores of a chain: parts of `transitions`.
struct Scores {
  const float *between, *start, *end;
  std::int64_t tags;
  Scores(const float *transitions, std::int64_t count)
      : between(transitions), start(transitions + count * count), end(start + count), tags(count) {}
  double from(std::int64_t i, std::int64_t j) const { return between[i * tags + j]; }
};

double largest(const double *values, std::int64_t count) {
  double most = values[0];
  for (std::int64_t i = 1; i < count; ++i) {
    most = values[i] > most ? values[i] : most;
  }
  return most;
}

double logSum(const double *values, std::int64_t count) {
  const double most = largest(values, count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    sum += std::exp(values[i] - most);
  }
  return most + std::log(sum);
}

/// The logarithm of the sums over all beginnings of the chain, of each row less their sum, into `alpha`; rows outside of the
/// chain become 0. Returns the logarithm of the sum over all chains. `scratch`: 2 * tags.
template <typename InChain>
double forwardPass(const Scores &scores, const float *logits, std::int32_t first, std::int32_t last, InChain inChain, float *alpha,
                   double *scratch) {
  const std::int64_t tags = scores.tags;
  double *now = scratch, *paths = scratch + tags;
  double total = 0;
  std::int32_t before = -1;
  for (std::int32_t row = first; row < last; ++row) {
    float *out = alpha + row * tags;
    if (!inChain(row)) {
      for (std::int64_t j = 0; j < tags; ++j) {
        out[j] = 0;
      }
      continue;
    }
    for (std::int64_t j = 0; j < tags; ++j) {
      double reached = scores.start[j];
      if (before >= 0) {
        for (std::int64_t i = 0; i < tags; ++i) {
          paths[i] = alpha[before * tags + i] + scores.from(i, j);
        }
        reached = logSum(paths, tags);
      }
      now[j] = reached + logits[row * tags + j];
    }
    const double sum = logSum(now, tags);
    total += sum;
    for (std::int64_t j = 0; j < tags; ++j) {
      out[j] = static_cast<float>(now[j] - sum);
    }
    before = row;
  }
  if (before < 0) {
    return 0;
  }
  for (std::int64_t j = 0; j < tags; ++j) {
    paths[j] = static_cast<double>(alpha[before * tags + j]) + scores.end[j];
  }
  return total + logSum(paths, tags);
}

/// Walks the chain from its end: calls `tag(row, probabilities)` for each of its rows, and `pair(row, i, j, probability)` for
/// each transition into a row from the one before. `scratch`: 4 * tags.
template <typename InChain, typename OnTag, typename OnPair>
void backwardPass(const Scores &scores, const float *logits, const float *alpha, std::int32_t first, std::int32_t last, InChain inChain,
                  double *scratch, OnTag tag, OnPair pair) {
  const std::int64_t tags = scores.tags;
  double *beta = scratch, *next = scratch + tags, *probability = scratch + 2 * tags, *paths = scratch + 3 * tags;
  bool begun = false;
  std::int32_t row = last - 1;
  while (row >= first && !inChain(row)) {
    --row;
  }
  while (row >= first) {
    std::int32_t before = row - 1;
    while (before >= first && !inChain(before)) {
      --before;
    }
    if (!begun) {
      for (std::int64_t j = 0; j < tags; ++j) {
        beta[j] = scores.end[j];
      }
      begun = true;
    }
    for (std::int64_t j = 0; j < tags; ++j) {
      probability[j] = alpha[row * tags + j] + beta[j];
    }
    const double sum = logSum(probability, tags);
    for (std::int64_t j = 0; j < tags; ++j) {
      probability[j] = std::exp(probability[j] - sum);
    }
    tag(row, probability);
    if (before >= first) {
      for (std::int64_t i = 0; i < tags; ++i) {
        for (std::int64_t j = 0; j < tags; ++j) {
          paths[j] = scores.from(i, j) + logits[row * tags + j] + beta[j];
        }
        next[i] = logSum(paths, tags);
      }
      for (std::int64_t i = 0; i < tags; ++i) {
        paths[i] = alpha[before * tags + i] + next[i];
      }
      const double pairs = logSum(paths, tags);
      for (std::int64_t i = 0; i < tags; ++i) {
        for (std::int64_t j = 0; j < tags; ++j) {
          pair(row, i, j, std::exp(alpha[before * tags + i] + scores.from(i, j) + logits[row * tags + j] + beta[j] - pairs));
        }
      }
      const double most = largest(next, tags);
      for (std::int64_t i = 0; i < tags; ++i) {
        beta[i] = next[i] - most;
      }
    }
    row = before;
  }
}

} // namespace

extern "C" {

void penstock_crf_loss(const float *logits, const int32_t *target, const float *transitions, const int32_t *offsets, int64_t begin,
                       int64_t end, int64_t tags, float *loss, float *alpha, float *scratch) {
  const Scores scores(transitions, tags);
  for (std::int64_t record = begin; record < end; ++record) {
    const auto inChain = [&](std::int32_t row) { return target[row] >= 0; };
    const double all =
        forwardPass(scores, logits, offsets[record], offsets[record + 1], inChain, alpha, reinterpret_cast<double *>(scratch));
    double one = 0;
    std::int32_t before = -1;
    for (std::int32_t row = offsets[record]; row < offsets[record + 1]; ++row) {
      if (target[row] >= 0) {
        one += before < 0 ? scores.start[target[row]] : scores.from(before, target[row]);
        one += logits[row * tags + target[row]];
        before = target[row];
      }
    }
    loss[record] = before < 0 ? 0.0F : static_cast<float>(all - (one + scores.end[before]));
  }
}

void penstock_crf_loss_grad(const float *logits, const int32_t *target, const float *transitions, const float *alpha,
                            const float *cotangent, const int32_t *offsets, int64_t begin, int64_t end, int64_t tags, float *dlogits,
                            float *dtransitions, float *scratch) {
  const Scores scores(transitions, tags);
  const std::int64_t size = (tags + 2) * tags;
  for (std::int64_t record = begin; record < end; ++record) {
    float *between = dtransitions + record * size, *start = between + tags * tags, *finish = start + tags;
    for (std::int64_t i = 0; i < size; ++i) {
      between[i] = 0;
    }
    const std::int32_t first = offsets[record], last = offsets[record + 1];
    std::int32_t head = -1, tail = -1; // rows
    for (std::int32_t row = first; row < last; ++row) {
      for (std::int64_t j = 0; j < tags; ++j) {
        dlogits[row * tags + j] = 0;
      }
      if (target[row] >= 0) {
        if (tail >= 0) {
          between[target[tail] * tags + target[row]] -= 1;
        }
        head = head < 0 ? row : head;
        tail = row;
      }
    }
    const auto inChain = [&](std::int32_t row) { return target[row] >= 0; };
    backwardPass(
        scores, logits, alpha, first, last, inChain, reinterpret_cast<double *>(scratch),
        [&](std::int32_t row, const double *probability) {
          for (std::int64_t j = 0; j < tags; ++j) {
            const double surplus = probability[j] - (target[row] == j ? 1.0 : 0.0);
            dlogits[row * tags + j] = static_cast<float>(cotangent[record] * surplus);
            start[j] += row == head ? static_cast<float>(surplus) : 0.0F;
            finish[j] += row == tail ? static_cast<float>(surplus) : 0.0F;
          }
        },
        [&](std::int32_t, std::int64_t i, std::int64_t j, double probability) {
          between[i * tags + j] += static_cast<float>(probability);
        });
    for (std::int64_t i = 0; i < size; ++i) {
      between[i] *= cotangent[record];
    }
  }
}

void penstock_crf_decode(const float *logits, const float *transitions, const int32_t *offsets, const int32_t *row_word, int64_t begin,
                         int64_t end, int64_t tags, float *result, float *alpha, int32_t *back, float *scratch) {
  const Scores scores(transitions, tags);
  double *best = reinterpret_cast<double *>(scratch), *now = best + tags;
  for (std::int64_t record = begin; record < end; ++record) {
    const std::int32_t first = offsets[record], last = offsets[record + 1];
    const auto inChain = [&](std::int32_t row) { return row_word == nullptr || row_word[row] >= 0; };
    forwardPass(scores, logits, first, last, inChain, alpha, reinterpret_cast<double *>(scratch));
    std::int32_t before = -1;
    for (std::int32_t row = first; row < last; ++row) {
      for (std::int64_t j = 0; j < tags; ++j) {
        result[row * tags + j] = 0;
        back[row * tags + j] = 0;
      }
      if (!inChain(row)) {
        continue;
      }
      for (std::int64_t j = 0; j < tags; ++j) {
        std::int64_t from = 0;
        double most = before < 0 ? scores.start[j] : best[0] + scores.from(0, j);
        for (std::int64_t i = 1; i < tags && before >= 0; ++i) {
          const double reached = best[i] + scores.from(i, j);
          if (reached > most) {
            most = reached;
            from = i;
          }
        }
        now[j] = most + logits[row * tags + j];
        back[row * tags + j] = static_cast<std::int32_t>(from);
      }
      for (std::int64_t j = 0; j < tags; ++j) {
        best[j] = now[j];
      }
      before = row;
    }
    if (before < 0) {
      continue;
    }
    std::int64_t chosen = 0;
    for (std::int64_t j = 1; j < tags; ++j) {
      chosen = best[j] + scores.end[j] > best[chosen] + scores.end[chosen] ? j : chosen;
    }
    backwardPass(
        scores, logits, alpha, first, last, inChain, reinterpret_cast<double *>(scratch),
        [&](std::int32_t row, const double *probability) {
          // Never 0, so that the chosen tag is the largest of its row.
          const float likely = static_cast<float>(probability[chosen]);
          result[row * tags + chosen] = likely > std::numeric_limits<float>::min() ? likely : std::numeric_limits<float>::min();
          chosen = back[row * tags + chosen];
        },
        [](std::int32_t, std::int64_t, std::int64_t, double) {});
  }
}

} // extern "C"
