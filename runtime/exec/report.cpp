#include "runtime/exec/report.h"

#include "runtime/base/file.h"
#include "runtime/exec/loss_curves.h"
#include "runtime/exec/run_places.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace penstock {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    default:
      out += c;
    }
  }
  return out;
}

std::string drawCurves(const LossCurves &curves, std::int64_t totalSteps) {
  constexpr double width = 760, height = 260, left = 50, bottom = 24;
  double top = 0, low = INFINITY;
  for (const auto *points : {&curves.train, &curves.dev}) {
    for (const LossPoint &point : *points) {
      top = std::max(top, point.value);
      low = std::min(low, point.value);
    }
  }
  if (!(low <= top)) {
    return "<p>no loss was logged</p>";
  }
  const double margin = std::max((top - low) * 0.05, 1e-9);
  low = low >= 0 && low < (top - low) ? 0 : low - margin;
  top += margin;
  const auto x = [&](double step) { return left + (width - left) * step / std::max<double>(1, static_cast<double>(totalSteps)); };
  const auto y = [&](double value) { return (height - bottom) * (top - value) / (top - low); };
  std::string svg = fmt::format("<svg viewBox=\"0 -8 {0} {1}\" role=\"img\" aria-label=\"loss over steps\">", width, height + 8);
  for (int i = 0; i <= 4; ++i) {
    const double value = low + (top - low) * i / 4;
    svg += fmt::format("<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" class=\"grid\"/><text x=\"{3}\" y=\"{4:.1f}\" "
                       "text-anchor=\"end\">{5:.3g}</text>",
                       left, width, y(value), left - 6, y(value) + 4, value);
  }
  svg += fmt::format("<text x=\"{}\" y=\"{}\">step 0</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", left, height - 6, width,
                     height - 6, totalSteps);
  const auto line = [&](const std::vector<LossPoint> &points, const char *kind) {
    svg += fmt::format("<polyline class=\"{}\" points=\"", kind);
    for (const LossPoint &point : points) {
      svg += fmt::format("{:.1f},{:.1f} ", x(point.step), y(point.value));
    }
    svg += "\"/>";
  };
  line(curves.train, "train");
  line(curves.dev, "dev");
  for (const LossPoint &point : curves.dev) {
    svg += fmt::format("<circle class=\"dev\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", x(point.step), y(point.value));
  }
  return svg + "</svg><p class=\"key\"><b class=\"train\">&#9632;</b> train loss <b class=\"dev\">&#9632;</b> dev loss</p>";
}

constexpr const char *style =
    R"(body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:800px;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}pre{background:#f5f5f5;padding:.8rem;overflow:auto;line-height:1.3}
svg{width:100%}svg text{font-size:11px;fill:#666}.grid{stroke:#ddd}polyline{fill:none;stroke-width:1.5}
polyline.train{stroke:#1f77b4}polyline.dev{stroke:#d62728}circle.dev{fill:#d62728}b.train{color:#1f77b4}b.dev{color:#d62728}.key,.dim{color:#666}
.bad{color:#d62728})";

} // namespace

Status writeReport(const std::string &folder, const RunRecord &record) {
  const RunConfig &config = record.config;
  std::string html = fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                                 "content=\"width=device-width\"><title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n",
                                 escaped(config.name), style);
  if (!config.title.empty()) {
    html += "<p>" + escaped(config.title) + "</p>\n";
  }
  const auto counted = [](std::int64_t count, const char *unit) { return fmt::format("{} {}{}", count, unit, count == 1 ? "" : "s"); };
  html += fmt::format("<p class=\"dim\">{}, {} of {} in {:.1f} s, kept: step {}; seed {}; level {}, {}; "
                      "{} &ndash; {}; penstock {}, pipeline {}</p>\n",
                      counted(record.records, "record"), counted(record.totalSteps, "step"), config.train.batch, record.seconds,
                      record.keptStep, config.train.seed, escaped(record.level), counted(record.threads, "thread"), escaped(record.started),
                      escaped(record.ended), escaped(record.version), config.hash());
  if (!record.dataText.empty()) {
    html += "<p class=\"dim\">data: " + escaped(record.dataText) + "</p>\n";
  }
  html += "<h2>Metrics</h2>\n<table><tr><th>split</th><th>metric</th><th class=\"n\">value</th></tr>\n";
  for (const SplitResult &result : record.results) {
    if (result.hasLoss) {
      html += fmt::format("<tr><td>{}</td><td>loss</td><td class=\"n\">{:.4f}</td></tr>\n", escaped(result.split), result.loss);
    }
    for (const auto &[name, value] : result.values) {
      if (name.find('[') != std::string::npos) { // of one class: in the report below
        continue;
      }
      html += fmt::format("<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>\n", escaped(result.split), escaped(name),
                          result.shown(name, value));
    }
  }
  html += "</table>\n";
  if (config.confidence.samples > 0) {
    html += "<p class=\"dim\">" + confidenceText(config.confidence) + "</p>\n";
  }
  for (const ExpectationResult &checked : checkExpectations(config, record.results)) {
    html += fmt::format("<p{}>{}</p>\n", checked.holds ? "" : " class=\"bad\"", escaped(checked.text()));
  }
  std::vector<std::string> losses;
  for (const ObjectiveSpec &objective : config.train.objectives) {
    losses.push_back(objective.lossName());
  }
  if (losses.empty()) {
    losses.push_back(ObjectiveSpec().lossName());
  }
  PENSTOCK_ASSIGN(const std::vector<LossCurves> curves, readLossCurves(folder + "/metrics.jsonl", losses));
  for (std::size_t i = 0; i < losses.size(); ++i) {
    html += "<h2>" + escaped(losses[i] == "loss" ? "Loss" : losses[i]) + "</h2>\n" + drawCurves(curves[i], record.totalSteps) + "\n";
  }
  for (const SplitResult &result : record.results) {
    for (const std::string &text : result.texts) {
      html += fmt::format("<h2>Report on {}</h2>\n<pre>{}</pre>\n", escaped(result.split), escaped(text));
    }
  }
  if (!record.fits.empty()) {
    html += "<h2>Fitted</h2>\n<table><tr><th>of</th><th>what</th><th>by</th><th>from</th><th>when</th></tr>\n";
    for (const Fit &fit : record.fits) {
      html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n", escaped(fit.name), escaped(fit.what),
                          escaped(fit.by), fit.split.empty() ? "the run of <code>from</code>" : escaped(fit.split),
                          fit.time == FitTime::data ? "before step 0" : "when the weights were final");
    }
    html += "</table>\n";
  }
  html += "<h2>Resolved values</h2>\n<table><tr><th>setting</th><th>value</th><th>from</th></tr>\n";
  for (const ResolvedSpec &value : config.resolved) {
    html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escaped(value.key), escaped(value.value), escaped(value.origin));
  }
  html += "</table>\n</body></html>\n";
  return writeFileAtomically(folder + "/report.html", RunPlaces(folder).kept(html));
}

} // namespace penstock
