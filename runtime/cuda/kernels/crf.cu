// The linear-chain conditional random field over the rows of records: the steps of runtime/kernels/crf.cpp in float64, in its order. A
// block takes a record, a thread a tag (and those 128 further on); what all tags of a row need lies in shared memory, four numbers a tag.
// Each thread takes the sum over a row itself: that costs nothing beside its own sum over the tags before, and no synchronization.
#include "runtime/cuda/kernels/device.h"
#include "runtime/cuda/kernels/float64.h"

struct Scores {
  const float *between, *start, *end;
  int tags;
};
DEVICE Scores scoresOf(const float *transitions, i64 tags) {
  return {transitions, transitions + tags * tags, transitions + (tags + 1) * tags, (int)tags};
}
DEVICE double from(const Scores &scores, int i, int j) { return scores.between[i * scores.tags + j]; }

struct Chain {
  i64 first, last;    // the record's rows
  const i32 *belongs; // 0 or above where a row is of the chain; NULL: all are
};
DEVICE Chain chainOf(const i32 *offsets, i64 record, const i32 *belongs) { return {offsets[record], offsets[record + 1], belongs}; }
DEVICE bool inChain(const Chain &chain, i64 row) { return chain.belongs == nullptr || chain.belongs[row] >= 0; }

/// The logarithm of the sum of e^value(i).
template <class Value> DEVICE double logSum(int count, Value value) {
  double most = value(0);
#pragma unroll 1
  for (int i = 1; i < count; ++i) {
    const double v = value(i);
    most = v > most ? v : most;
  }
  double sum = 0;
#pragma unroll 1
  for (int i = 0; i < count; ++i) {
    sum += exponential64(value(i) - most);
  }
  return most + logarithm64(sum);
}

template <class Body> DEVICE void forTags(int tags, Body body) {
  for (int j = threadX(); j < tags; j += blockThreads()) {
    body(j);
  }
}

/// As forwardPass of crf.cpp; every thread has the result. `shared`: 2 numbers a tag.
DEVICE double forwardPass(const Scores &scores, const float *logits, const Chain &chain, float *alpha, double *shared) {
  const int tags = scores.tags;
  double *const now = shared, *const reached = shared + tags; // of this row; of the one before, as alpha keeps it
  double total = 0;
  bool begun = false;
  for (i64 row = chain.first; row < chain.last; ++row) {
    float *const out = alpha + row * tags;
    if (!inChain(chain, row)) {
      forTags(tags, [&](int j) { out[j] = 0; });
      continue;
    }
    syncBlock();
    forTags(tags, [&](int j) {
      const double before = begun ? logSum(tags, [&](int i) { return reached[i] + from(scores, i, j); }) : (double)scores.start[j];
      now[j] = before + logits[row * tags + j];
    });
    syncBlock();
    const double sum = logSum(tags, [&](int j) { return now[j]; });
    total += sum;
    forTags(tags, [&](int j) {
      out[j] = (float)(now[j] - sum);
      reached[j] = out[j];
    });
    begun = true;
  }
  syncBlock();
  const double all = begun ? total + logSum(tags, [&](int j) { return reached[j] + scores.end[j]; }) : 0;
  syncBlock();
  return all;
}

/// As backwardPass of crf.cpp, from the chain's last row to its first: `tag(row, probabilities)` by all threads at once, when the
/// probabilities of a row are there; `pair(row, i, j, probability)` by the thread of tag i. `shared`: 4 numbers a tag.
template <class OnTag, class OnPair>
DEVICE void backwardPass(const Scores &scores, const float *logits, const float *alpha, const Chain &chain, double *shared, OnTag tag,
                         OnPair pair) {
  const int tags = scores.tags;
  double *const beta = shared, *const next = shared + tags, *const probability = shared + 2 * tags, *const before = shared + 3 * tags;
  i64 row = chain.last - 1;
  while (row >= chain.first && !inChain(chain, row)) {
    --row;
  }
  syncBlock();
  forTags(tags, [&](int j) { beta[j] = scores.end[j]; });
  while (row >= chain.first) {
    i64 earlier = row - 1;
    while (earlier >= chain.first && !inChain(chain, earlier)) {
      --earlier;
    }
    syncBlock();
    const float *const here = alpha + row * tags;
    const double sum = logSum(tags, [&](int j) { return here[j] + beta[j]; });
    forTags(tags, [&](int j) { probability[j] = exponential64(here[j] + beta[j] - sum); });
    syncBlock();
    tag(row, probability);
    if (earlier >= chain.first) {
      const float *const scoresHere = logits + row * tags;
      forTags(tags, [&](int i) {
        next[i] = logSum(tags, [&](int j) { return from(scores, i, j) + scoresHere[j] + beta[j]; });
        before[i] = alpha[earlier * tags + i];
      });
      syncBlock();
      const double pairs = logSum(tags, [&](int i) { return before[i] + next[i]; });
      double most = next[0];
      for (int i = 1; i < tags; ++i) {
        most = next[i] > most ? next[i] : most;
      }
      forTags(tags, [&](int i) {
        for (int j = 0; j < tags; ++j) {
          pair(row, i, j, exponential64(before[i] + from(scores, i, j) + scoresHere[j] + beta[j] - pairs));
        }
      });
      syncBlock();
      forTags(tags, [&](int i) { beta[i] = next[i] - most; });
    }
    row = earlier;
  }
  syncBlock();
}

KERNEL(128, crf_loss,
       (const float *logits, const i32 *target, const float *transitions, const i32 *offsets, i64 capacity, const i64 *count, i64 ofTags,
        float *loss, float *alpha)) {
  DYNAMIC_SHARED(shared);
  const i64 record = blockX();
  if (record >= countOf(capacity, count)) {
    return;
  }
  const Scores scores = scoresOf(transitions, ofTags);
  const int tags = scores.tags;
  const Chain chain = chainOf(offsets, record, target);
  const double all = forwardPass(scores, logits, chain, alpha, (double *)shared);
  if (threadX() != 0) {
    return;
  }
  double one = 0;
  i32 before = -1;
  for (i64 row = chain.first; row < chain.last; ++row) {
    const i32 now = target[row];
    if (now >= 0) {
      one += before < 0 ? (double)scores.start[now] : from(scores, before, now);
      one += logits[row * tags + now];
      before = now;
    }
  }
  loss[record] = before < 0 ? 0.0f : (float)(all - (one + scores.end[before]));
}

KERNEL(128, crf_loss_grad,
       (const float *logits, const i32 *target, const float *transitions, const float *alpha, const float *cotangent, const i32 *offsets,
        i64 capacity, const i64 *count, i64 ofTags, float *dlogits, float *dtransitions)) {
  DYNAMIC_SHARED(shared);
  const i64 record = blockX();
  if (record >= countOf(capacity, count)) {
    return;
  }
  const Scores scores = scoresOf(transitions, ofTags);
  const int tags = scores.tags;
  const Chain chain = chainOf(offsets, record, target);
  const int size = (tags + 2) * tags;
  float *const between = dtransitions + record * size, *const start = between + tags * tags, *const finish = start + tags;
  for (int i = threadX(); i < size; i += blockThreads()) {
    between[i] = 0;
  }
  syncBlock();
  // The pairs of the targets, by the thread of the earlier tag, which adds all pairs that begin there.
  i64 head = -1, tail = -1; // rows
  for (i64 row = chain.first; row < chain.last; ++row) {
    forTags(tags, [&](int j) { dlogits[row * tags + j] = 0; });
    if (target[row] >= 0) {
      if (tail >= 0 && target[tail] % blockThreads() == threadX()) {
        between[target[tail] * tags + target[row]] -= 1;
      }
      head = head < 0 ? row : head;
      tail = row;
    }
  }
  const double scale = cotangent[record];
  backwardPass(
      scores, logits, alpha, chain, (double *)shared,
      [&](i64 row, const double *probability) {
        forTags(tags, [&](int j) {
          const double surplus = probability[j] - (target[row] == j ? 1.0 : 0.0);
          dlogits[row * tags + j] = (float)(scale * surplus);
          start[j] += row == head ? (float)surplus : 0.0f;
          finish[j] += row == tail ? (float)surplus : 0.0f;
        });
      },
      [&](i64, int i, int j, double probability) { between[i * tags + j] += (float)probability; });
  for (int i = threadX(); i < size; i += blockThreads()) {
    between[i] *= cotangent[record];
  }
}

KERNEL(128, crf_decode,
       (const float *logits, const float *transitions, const i32 *offsets, const i32 *rowWord, i64 capacity, const i64 *count, i64 ofTags,
        float *result, float *alpha, i32 *back)) {
  DYNAMIC_SHARED(shared);
  const i64 record = blockX();
  if (record >= countOf(capacity, count)) {
    return;
  }
  const Scores scores = scoresOf(transitions, ofTags);
  const int tags = scores.tags;
  const Chain chain = chainOf(offsets, record, rowWord);
  double *const best = (double *)shared, *const now = best + tags;
  (void)forwardPass(scores, logits, chain, alpha, best);
  bool begun = false;
  for (i64 row = chain.first; row < chain.last; ++row) {
    const bool belongs = inChain(chain, row);
    forTags(tags, [&](int j) {
      result[row * tags + j] = 0;
      int chosen = 0;
      if (belongs) {
        double most = begun ? best[0] + from(scores, 0, j) : (double)scores.start[j];
        for (int i = 1; i < tags && begun; ++i) {
          const double reached = best[i] + from(scores, i, j);
          chosen = reached > most ? i : chosen;
          most = reached > most ? reached : most;
        }
        now[j] = most + logits[row * tags + j];
      }
      back[row * tags + j] = chosen;
    });
    if (belongs) {
      syncBlock();
      forTags(tags, [&](int j) { best[j] = now[j]; });
      syncBlock();
      begun = true;
    }
  }
  if (!begun) {
    return;
  }
  int chosen = 0;
  for (int j = 1; j < tags; ++j) {
    chosen = best[j] + scores.end[j] > best[chosen] + scores.end[chosen] ? j : chosen;
  }
  backwardPass(
      scores, logits, alpha, chain, (double *)shared,
      [&](i64 row, const double *probability) {
        // Never 0, so that the chosen tag is the largest of its row.
        const float likely = (float)probability[chosen];
        if (threadX() == 0) {
          result[row * tags + chosen] = likely > 0x1p-126f ? likely : 0x1p-126f;
        }
        chosen = back[row * tags + chosen];
      },
      [](i64, int, int, double) {});
}
