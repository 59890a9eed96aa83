// Two-dimensional convolutions of oneDNN, one thread, channels last: whether a picture's bits depend on its batch, what calling picture by
// picture costs, and what a weight gradient costs that is summed in chunks of fixed size. Times are processor time, the fastest of a
// number of rounds in turns.
//
//   convolution_bench [avx2|avx512] [plain|any]     plain: values lie as ours do; any: as oneDNN likes best
#include <dlfcn.h>
#include <dnnl.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using dnnl::memory;
using std::int64_t;

struct Shape {
  const char *name;
  int64_t in, height, width, out, kernel, stride;

  int64_t padding() const { return kernel / 2; }
  int64_t outHeight() const { return (height + 2 * padding() - kernel) / stride + 1; }
  int64_t outWidth() const { return (width + 2 * padding() - kernel) / stride + 1; }
  double operations() const { return 2.0 * static_cast<double>(in * out * kernel * kernel * outHeight() * outWidth()); } // a picture
};
const Shape shapes[] = {{"13x11x5 -> 7, 3x3", 5, 13, 11, 7, 3, 1},         {"28x28x1 -> 32, 3x3", 1, 28, 28, 32, 3, 1},
                        {"28x28x32 -> 64, 3x3", 32, 28, 28, 64, 3, 1},     {"56x56x64 -> 64, 3x3", 64, 56, 56, 64, 3, 1},
                        {"56x56x64 -> 256, 1x1", 64, 56, 56, 256, 1, 1},   {"28x28x128 -> 128, 3x3", 128, 28, 28, 128, 3, 1},
                        {"14x14x256 -> 256, 3x3", 256, 14, 14, 256, 3, 1}, {"7x7x512 -> 512, 3x3", 512, 7, 7, 512, 3, 1}};
constexpr int64_t largest = 32; // pictures

dnnl::engine &engine() {
  static dnnl::engine one(dnnl::engine::kind::cpu, 0);
  return one;
}
dnnl::stream &stream() {
  static dnnl::stream one(engine());
  return one;
}

bool plain = true;

memory::desc valueOf(int64_t pictures, int64_t channels, int64_t height, int64_t width) {
  return {{pictures, channels, height, width}, memory::data_type::f32, plain ? memory::format_tag::nhwc : memory::format_tag::any};
}

/// One direction of a convolution of a number of pictures.
struct Convolution {
  enum Direction { forward, data, weights };

  Convolution(const Shape &shape, int64_t pictures, Direction direction) : direction(direction) {
    const memory::desc x = valueOf(pictures, shape.in, shape.height, shape.width),
                       y = valueOf(pictures, shape.out, shape.outHeight(), shape.outWidth());
    const memory::desc w({shape.out, shape.in, shape.kernel, shape.kernel}, memory::data_type::f32, memory::format_tag::any);
    const memory::dims strides = {shape.stride, shape.stride}, padding = {shape.padding(), shape.padding()};
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc hint({dnnl::prop_kind::forward_training, algorithm, x, w, y, strides, padding, padding},
                                                         engine());
    if (direction == forward) {
      take(hint, hint.src_desc(), hint.weights_desc(), hint.dst_desc());
      primitive = dnnl::convolution_forward(hint);
    } else if (direction == data) {
      const dnnl::convolution_backward_data::primitive_desc made({algorithm, x, w, y, strides, padding, padding}, engine(), hint);
      take(made, made.diff_src_desc(), made.weights_desc(), made.diff_dst_desc());
      primitive = dnnl::convolution_backward_data(made);
    } else {
      const dnnl::convolution_backward_weights::primitive_desc made({algorithm, x, w, y, strides, padding, padding}, engine(), hint);
      take(made, made.src_desc(), made.diff_weights_desc(), made.diff_dst_desc());
      primitive = dnnl::convolution_backward_weights(made);
    }
  }

  /// x, w and y as this primitive wants them.
  void run(float *x, float *w, float *y) {
    src.set_data_handle(x);
    kernel.set_data_handle(w);
    dst.set_data_handle(y);
    using Arguments = std::unordered_map<int, memory>;
    const Arguments arguments = direction == forward ? Arguments{{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, kernel}, {DNNL_ARG_DST, dst}}
                                : direction == data
                                    ? Arguments{{DNNL_ARG_DIFF_SRC, src}, {DNNL_ARG_WEIGHTS, kernel}, {DNNL_ARG_DIFF_DST, dst}}
                                    : Arguments{{DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_WEIGHTS, kernel}, {DNNL_ARG_DIFF_DST, dst}};
    primitive.execute(stream(), arguments);
    stream().wait();
  }

  Direction direction;
  std::string implementation;
  memory src, kernel, dst;

private:
  template <class Description> void take(const Description &made, const memory::desc &x, const memory::desc &w, const memory::desc &y) {
    implementation = made.impl_info_str();
    src = memory(x, engine(), nullptr);
    kernel = memory(w, engine(), nullptr);
    dst = memory(y, engine(), nullptr);
  }
  dnnl::primitive primitive;
};

std::vector<float> numbers(std::size_t count) {
  static std::mt19937 generator(7);
  std::uniform_real_distribution<float> some(-1, 1);
  std::vector<float> all(count);
  std::generate(all.begin(), all.end(), [&] { return some(generator); });
  return all;
}

/// `from`, which lies as `as`, in the order of `to`.
std::vector<float> ordered(std::vector<float> from, const memory::desc &as, const memory::desc &to) {
  std::vector<float> result(to.get_size() / sizeof(float));
  memory source(as, engine(), from.data()), target(to, engine(), result.data());
  dnnl::reorder(source, target).execute(stream(), source, target);
  stream().wait();
  return result;
}

memory::desc nhwc(int64_t pictures, int64_t channels, int64_t height, int64_t width) {
  return {{pictures, channels, height, width}, memory::data_type::f32, memory::format_tag::nhwc};
}

double processorSeconds() {
  timespec now;
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The fastest of some rounds of each, in turns.
std::vector<double> fastest(const std::vector<std::function<void()>> &runs, double budget) {
  std::vector<double> best(runs.size(), INFINITY);
  double spent = 0;
  for (int round = 0; round < 3 || spent < budget; ++round) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double begin = processorSeconds();
      runs[i]();
      const double took = processorSeconds() - begin;
      best[i] = std::min(best[i], took);
      spent += took;
    }
  }
  return best;
}

/// What a picture's results are in a batch of `pictures` that begins at the picture `first`: rows of the plain result.
std::vector<float> inBatch(const Shape &s, Convolution::Direction direction, int64_t first, int64_t pictures,
                           const std::vector<float> &given, const std::vector<float> &weight, std::string *implementation) {
  Convolution made(s, pictures, direction);
  *implementation = made.implementation;
  const bool forward = direction == Convolution::forward;
  const memory::desc from = forward ? nhwc(pictures, s.in, s.height, s.width) : nhwc(pictures, s.out, s.outHeight(), s.outWidth());
  const memory::desc to = forward ? nhwc(pictures, s.out, s.outHeight(), s.outWidth()) : nhwc(pictures, s.in, s.height, s.width);
  const std::size_t one = from.get_size() / sizeof(float) / static_cast<std::size_t>(pictures);
  const std::vector<float> part(given.begin() + static_cast<std::ptrdiff_t>(one) * first,
                                given.begin() + static_cast<std::ptrdiff_t>(one) * (first + pictures));
  const memory &source = forward ? made.src : made.dst, &target = forward ? made.dst : made.src;
  std::vector<float> x = ordered(part, from, source.get_desc());
  std::vector<float> w =
      ordered(weight, {{s.out, s.in, s.kernel, s.kernel}, memory::data_type::f32, memory::format_tag::oihw}, made.kernel.get_desc());
  std::vector<float> y(target.get_desc().get_size() / sizeof(float));
  made.run(forward ? x.data() : y.data(), w.data(), forward ? y.data() : x.data());
  return ordered(y, target.get_desc(), to);
}

void bitsOf(const Shape &s, Convolution::Direction direction) {
  const std::vector<float> weight = numbers(static_cast<std::size_t>(s.out * s.in * s.kernel * s.kernel));
  const bool forward = direction == Convolution::forward;
  const int64_t one = forward ? s.in * s.height * s.width : s.out * s.outHeight() * s.outWidth();
  const std::vector<float> given = numbers(static_cast<std::size_t>(largest * one));
  std::string implementation, other;
  std::vector<std::vector<float>> alone;
  for (int64_t i = 0; i < largest; ++i) {
    alone.push_back(inBatch(s, direction, i, 1, given, weight, &implementation));
  }
  std::printf("%-24s %-9s %-22s", s.name, forward ? "forward" : "input", implementation.c_str());
  for (const int64_t pictures : {2, 3, 4, 7, 8, 16, 31, 32}) {
    int differ = 0;
    const std::vector<float> batch = inBatch(s, direction, 0, pictures, given, weight, &other);
    for (int64_t i = 0; i < pictures; ++i) {
      const std::size_t size = alone[static_cast<std::size_t>(i)].size();
      differ += std::memcmp(alone[static_cast<std::size_t>(i)].data(), batch.data() + static_cast<std::size_t>(i) * size,
                            size * sizeof(float)) != 0;
    }
    std::printf(" %3d%s", differ, other == implementation ? " " : "*");
  }
  std::printf("\n");
}

void timesOf(const Shape &s, Convolution::Direction direction) {
  std::vector<std::function<void()>> runs;
  std::vector<Convolution> made;
  const int64_t parts[] = {1, 4, largest};
  for (const int64_t pictures : parts) {
    made.emplace_back(s, pictures, direction);
  }
  std::vector<float> x = numbers(made.back().src.get_desc().get_size() / sizeof(float)),
                     y = numbers(made.back().dst.get_desc().get_size() / sizeof(float));
  std::vector<float> w = numbers(made.back().kernel.get_desc().get_size() / sizeof(float) + 4096);
  for (std::size_t i = 0; i < made.size(); ++i) {
    runs.push_back([&, i] {
      const std::size_t stepX = made[i].src.get_desc().get_size() / sizeof(float),
                        stepY = made[i].dst.get_desc().get_size() / sizeof(float);
      for (int64_t at = 0; at < largest / parts[i]; ++at) {
        made[i].run(x.data() + stepX * static_cast<std::size_t>(at), w.data(), y.data() + stepY * static_cast<std::size_t>(at));
      }
    });
  }
  const std::vector<double> best = fastest(runs, 0.4);
  const double work = s.operations() * static_cast<double>(largest) * 1e-9;
  std::printf("%-24s %-9s %7.1f %7.1f %7.1f   %5.2f %5.2f\n", s.name, direction == Convolution::forward ? "forward" : "input",
              work / best[2], work / best[1], work / best[0], best[1] / best[2], best[0] / best[2]);
}

/// The sum over the batch in chunks of fixed size, in their order, each added to what is there.
void gradientOf(const Shape &s) {
  const int64_t chunks[] = {1, 4, 8, 16, largest};
  std::vector<Convolution> made;
  for (const int64_t pictures : chunks) {
    made.emplace_back(s, pictures, Convolution::weights);
  }
  std::vector<float> x = numbers(made.back().src.get_desc().get_size() / sizeof(float)),
                     y = numbers(made.back().dst.get_desc().get_size() / sizeof(float));
  const std::size_t size = made.back().kernel.get_desc().get_size() / sizeof(float);
  std::vector<float> part(size), sum(size);
  std::vector<std::function<void()>> runs;
  bool repeats = true;
  for (std::size_t i = 0; i < made.size(); ++i) {
    runs.push_back([&, i] {
      const std::size_t stepX = made[i].src.get_desc().get_size() / sizeof(float),
                        stepY = made[i].dst.get_desc().get_size() / sizeof(float);
      std::fill(sum.begin(), sum.end(), 0.0F);
      for (int64_t at = 0; at < largest / chunks[i]; ++at) {
        made[i].run(x.data() + stepX * static_cast<std::size_t>(at), part.data(), y.data() + stepY * static_cast<std::size_t>(at));
        for (std::size_t e = 0; e < size; ++e) {
          sum[e] += part[e];
        }
      }
    });
    runs.back()();
    const std::vector<float> first = sum;
    runs.back()();
    repeats = repeats && std::memcmp(first.data(), sum.data(), size * sizeof(float)) == 0;
  }
  const std::vector<double> best = fastest(runs, 0.6);
  const double work = s.operations() * static_cast<double>(largest) * 1e-9;
  std::printf("%-24s %-22s %7.1f  ", s.name, made.front().implementation.c_str(), work / best.back());
  for (std::size_t i = 0; i + 1 < made.size(); ++i) {
    std::printf(" %5.2f", best[i] / best.back());
  }
  std::printf("   %s\n", repeats ? "yes" : "no");
}

} // namespace

int main(int count, char **arguments) {
  const std::string level = count > 1 ? arguments[1] : "avx2";
  plain = count < 3 || std::string(arguments[2]) == "plain";
  dnnl::set_max_cpu_isa(level == "avx2" ? dnnl::cpu_isa::avx2 : dnnl::cpu_isa::avx512_core);
  if (auto *threads = reinterpret_cast<void (*)(int)>(::dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) {
    threads(1); // as our pool calls it
  }
  const dnnl_version_t *version = dnnl_version();
  std::printf("oneDNN %d.%d.%d, %s, %s\n\n", version->major, version->minor, version->patch, level.c_str(),
              plain ? "channels last" : "oneDNN's layout");
  std::printf("pictures of a batch whose bits are not those of the picture alone; *: another implementation than for one\n%-24s %-9s %-22s",
              "", "", "of one");
  for (const int64_t pictures : {2, 3, 4, 7, 8, 16, 31, 32}) {
    std::printf(" %3ld ", pictures);
  }
  std::printf("\n");
  for (const Shape &shape : shapes) {
    bitsOf(shape, Convolution::forward);
    bitsOf(shape, Convolution::data);
  }
  std::printf("\n32 pictures in one call, in calls of 4, picture by picture: GFLOP/s; time of the last two against one call\n");
  for (const Shape &shape : shapes) {
    timesOf(shape, Convolution::forward);
    timesOf(shape, Convolution::data);
  }
  std::printf("\nweight gradient of 32 pictures: GFLOP/s in one call; time in chunks of 1, 4, 8, 16 against it; equal when repeated\n");
  for (const Shape &shape : shapes) {
    gradientOf(shape);
  }
}
