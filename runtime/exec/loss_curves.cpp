#include "runtime/exec/loss_curves.h"

#include "runtime/base/file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace penstock {

namespace {

/// The training curve as means of at most 400 stretches.
std::vector<LossPoint> thinned(std::vector<LossPoint> points) {
  const std::size_t stretch = (points.size() + 399) / 400;
  if (stretch <= 1) {
    return points;
  }
  std::vector<LossPoint> means;
  for (std::size_t i = 0; i < points.size(); i += stretch) {
    const std::size_t count = std::min(stretch, points.size() - i);
    LossPoint mean{0, 0};
    for (std::size_t j = i; j < i + count; ++j) {
      mean.step += points[j].step / static_cast<double>(count);
      mean.value += points[j].value / static_cast<double>(count);
    }
    means.push_back(mean);
  }
  return means;
}

double meanOf(const LossPoint *first, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += first[i].value;
  }
  return sum / static_cast<double>(count);
}

} // namespace

Result<std::vector<LossCurves>> readLossCurves(const std::string &log, const std::vector<std::string> &names) {
  PENSTOCK_ASSIGN(const std::string text, readWholeFile(log, std::size_t{1} << 34));
  std::vector<LossCurves> all(names.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const nlohmann::json line = nlohmann::json::parse(text.data() + at, text.data() + end, nullptr, false);
    at = end + 1;
    if (!line.is_object() || !line.contains("step")) {
      continue;
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const nlohmann::json &holder = line.contains(names[i]) || !line.contains("metrics") ? line : line["metrics"];
      const auto loss = holder.find(names[i]);
      if (loss == holder.end() || !loss->is_number()) {
        continue;
      }
      const LossPoint point{line["step"].get<double>(), loss->get<double>()};
      if (!line.contains("split")) {
        all[i].train.push_back(point);
      } else if (line["split"] == "dev" && !line.contains("final")) {
        all[i].dev.push_back(point);
      }
    }
  }
  for (LossCurves &curves : all) {
    curves.train = thinned(std::move(curves.train));
  }
  return all;
}

namespace {

/// By how much the line through the points falls from the first to the last, and the standard error of that.
std::pair<double, double> fallOf(const std::vector<LossPoint> &points) {
  const auto count = static_cast<double>(points.size());
  const double middle = (count - 1) / 2, mean = meanOf(points.data(), points.size());
  double across = 0, along = 0, left = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double x = static_cast<double>(i) - middle;
    across += x * x;
    along += x * points[i].value;
  }
  const double slope = along / across;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double off = points[i].value - mean - slope * (static_cast<double>(i) - middle);
    left += off * off;
  }
  return {-slope * (count - 1), std::sqrt(left / (count - 2) / across) * (count - 1)};
}

} // namespace

std::string standstillOf(const LossCurves &curves) {
  constexpr std::size_t fewest = 30, parts = 10;
  constexpr double moved = 1e-3; // of the first loss: less is no fall
  if (curves.train.size() < fewest) {
    return "";
  }
  const std::size_t part = curves.train.size() / parts;
  const double first = meanOf(curves.train.data(), part), last = meanOf(&curves.train[curves.train.size() - part], part);
  const auto [fall, error] = fallOf(curves.train);
  const double least = std::max(moved * std::abs(first), 2 * error); // batches differ
  if (!(std::abs(first) > 1e-6) || !(fall <= least)) {
    return "";
  }
  return fmt::format(
      "the loss {}: {:.4g} in the first tenth of the training, {:.4g} in the last; try another learning rate, and see whether "
      "the inputs can tell what is predicted",
      -fall > least ? "did not fall, it rose" : "stood still", first, last);
}

} // namespace penstock
