// What the machine can do at best, for comparisons.

int64_t peak(int64_t rounds) {
  Accumulators<tileRows, 2> acc = {};
  const Vec a = broadcast(1.0000001f), b = broadcast(0.9999999f);
  constexpr int64_t steps = 100;
  for (int64_t round = 0; round < rounds * steps; ++round) {
#pragma clang loop unroll(full)
    for (int i = 0; i < tileRows; ++i) {
#pragma clang loop unroll(full)
      for (int v = 0; v < 2; ++v) {
        acc.of[i][v] = fma(a, b, acc.of[i][v]);
        fence(acc.of[i][v]);
      }
    }
  }
  return rounds * steps * tileRows * 2 * lanes * 2;
}

void stream(float *a, const float *b, const float *c, int64_t count) {
  for (int64_t i = 0; i + lanes <= count; i += lanes) {
    store(a + i, fma(broadcast(3.0f), load(c + i), load(b + i)));
  }
}
