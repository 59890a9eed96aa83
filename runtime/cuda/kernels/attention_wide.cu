// Attention of heads of any width, plainly: a warp a query, or a key, over all others in order; sums over the width by the warp's tree. For
// heads of more than 128 numbers, which no model of ours has.
#include "runtime/cuda/kernels/attention_head.h"

DEVICE float dotOf(const AttentionArguments &of, const float *a, const float *b) {
  float sum = 0;
  for (i64 c = laneX(); c < of.width; c += 32) {
    sum = of.round != 0 ? multiplyAdd(roundedToBf16(a[c]), roundedToBf16(b[c]), sum) : multiplyAdd(a[c], b[c], sum);
  }
  return warpSum(sum);
}
/// to += factor * from.
DEVICE void addScaled(const AttentionArguments &of, float *to, float factor, const float *from) {
  for (i64 c = laneX(); c < of.width; c += 32) {
    to[c] = of.round != 0 ? multiplyAdd(roundedToBf16(factor), roundedToBf16(from[c]), to[c]) : multiplyAdd(factor, from[c], to[c]);
  }
}
DEVICE void scaleRow(const AttentionArguments &of, float *to, float factor) {
  for (i64 c = laneX(); c < of.width; c += 32) {
    to[c] = factor == 0 ? 0.0f : to[c] * factor;
  }
}
DEVICE float multiplierOf(const AttentionArguments &of, const AttentionHead &head, i64 query, i64 key) {
  if (of.threshold == 0) {
    return 1;
  }
  return keptElements<1>(of, head, head.element + query * head.length + key) != 0 ? of.multiplier : 0.0f;
}

DEVICE void forwardQuery(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 query) {
  const float *q = of.q + (head.query + query) * of.ldQuery + head.at, *k = of.k + head.row * of.ld + head.at;
  const float *v = of.v + head.row * of.ld + head.at;
  float *out = of.out + (head.query + query) * head.ldOut + head.at;
  float top = -INFINITE;
  for (i64 key = 0; key < head.length; ++key) {
    top = larger(top, dotOf(of, q, k + key * of.ld));
  }
  float sum = 0;
  scaleRow(of, out, 0);
  for (i64 key = 0; key < head.length; ++key) {
    const float e = exponential((dotOf(of, q, k + key * of.ld) - top) * of.scale);
    sum += e;
    addScaled(of, out, e * multiplierOf(of, head, query, key), v + key * of.ld);
  }
  scaleRow(of, out, divide(1.0f, sum));
  if (laneX() == 0) {
    of.lse[(head.query + query) * of.heads + headNumber] = multiplyAdd(top, of.scale, logarithm(sum));
  }
}

KERNEL(128, attention_wide, (AttentionArguments of)) {
  const i64 record = blockX(), headNumber = blockZ();
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const AttentionHead head = attentionHead(of, record, headNumber);
  const i64 warp = (i64)blockY() * 4 + warpX();
  if (head.length == 0 && of.first != 0 && warp == 0) {
    scaleRow(of, of.out + record * head.ldOut + head.at, 0);
    if (laneX() == 0) {
      of.lse[record * of.heads + headNumber] = 0;
    }
  }
  for (i64 query = warp; query < head.queries; query += (i64)gridY() * 4) {
    forwardQuery(of, head, headNumber, query);
  }
}

/// d(score) and p of a pair.
struct WidePair {
  float p, ds;
};
DEVICE WidePair widePair(const AttentionArguments &of, const AttentionHead &head, i64 headNumber, i64 query, i64 key) {
  const i64 row = head.query + query, at = row * head.ldOut + head.at, keyAt = (head.row + key) * of.ld + head.at;
  const float *dout = of.dout + at, *out = of.out + at;
  float delta = 0;
  for (i64 c = laneX(); c < of.width; c += 32) {
    delta = multiplyAdd(dout[c], out[c], delta);
  }
  delta = warpSum(delta);
  const float p =
      exponential(multiplyAdd(dotOf(of, of.q + row * of.ldQuery + head.at, of.k + keyAt), of.scale, -of.lse[row * of.heads + headNumber]));
  const float multiplier = multiplierOf(of, head, query, key);
  return {p * multiplier, p * (dotOf(of, dout, of.v + keyAt) * multiplier - delta) * of.scale};
}

KERNEL(128, attention_grad_wide, (AttentionArguments of)) {
  const i64 record = blockX(), headNumber = blockZ();
  if (record >= countOf(of.capacity, of.count)) {
    return;
  }
  const AttentionHead head = attentionHead(of, record, headNumber);
  const i64 warp = (i64)(blockY() / 2) * 4 + warpX(), step = (i64)(gridY() / 2) * 4;
  if (blockY() % 2 == 0) {
    if (head.length == 0 && of.first != 0 && warp == 0) {
      scaleRow(of, of.dq + record * of.ldQuery + head.at, 0);
    }
    for (i64 query = warp; query < head.queries; query += step) {
      float *dq = of.dq + (head.query + query) * of.ldQuery + head.at;
      scaleRow(of, dq, 0);
      for (i64 key = 0; key < head.length; ++key) {
        addScaled(of, dq, widePair(of, head, headNumber, query, key).ds, of.k + (head.row + key) * of.ld + head.at);
      }
    }
    return;
  }
  for (i64 key = warp; key < head.length; key += step) {
    const i64 at = (head.row + key) * of.ld + head.at;
    scaleRow(of, of.dk + at, 0);
    scaleRow(of, of.dv + at, 0);
    for (i64 query = 0; query < head.queries; ++query) {
      const WidePair pair = widePair(of, head, headNumber, query, key);
      addScaled(of, of.dk + at, pair.ds, of.q + (head.query + query) * of.ldQuery + head.at);
      addScaled(of, of.dv + at, pair.p, of.dout + (head.query + query) * head.ldOut + head.at);
    }
  }
}
