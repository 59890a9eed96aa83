#include "runtime/exec/listeners.h"

#include "runtime/base/clock.h"
#include "runtime/exec/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {

Status Listeners::step(const StepReport &report) {
  for (const auto &listener : all) {
    PENSTOCK_TRY(listener->step(report));
  }
  return {};
}

Status Listeners::evaluation(const EvaluationReport &report) {
  for (const auto &listener : all) {
    PENSTOCK_TRY(listener->evaluation(report));
  }
  return {};
}

void Listeners::note(const std::string &text) {
  for (const auto &listener : all) {
    listener->note(text);
  }
}

void Listeners::warning(const std::string &text) {
  for (const auto &listener : all) {
    listener->warning(text);
  }
}

void Listeners::activity(const std::string &what, std::int64_t done, std::int64_t total) {
  for (const auto &listener : all) {
    listener->activity(what, done, total);
  }
}

Status Listeners::sync() {
  for (const auto &listener : all) {
    PENSTOCK_TRY(listener->sync());
  }
  return {};
}

Status Listeners::finished(const RunRecord &record) {
  for (const auto &listener : all) {
    PENSTOCK_TRY(listener->finished(record));
  }
  return {};
}

void Listeners::end() {
  for (const auto &listener : all) {
    listener->end();
  }
}

namespace {

class LogListener final : public TrainListener {
public:
  LogListener(std::unique_ptr<MetricsLog> log, std::int64_t every) : log(std::move(log)), every(every), since(monotonicNow()) {}

  Status step(const StepReport &report) override {
    tokens += report.tokens;
    if (report.step % every != 0 && !report.last) {
      return {};
    }
    const double speed = static_cast<double>(tokens) * 1e9 / static_cast<double>(std::max<std::int64_t>(report.now - since, 1));
    since = report.now;
    tokens = 0;
    return log->step(report.step, report.epoch, report.objectives, speed, report.now);
  }
  Status evaluation(const EvaluationReport &report) override {
    const Status written = log->evaluation(report.step, report.epoch, report.result, report.kept);
    since = monotonicNow(); // its time is not that of steps
    return written;
  }
  Status sync() override { return log->sync(); }
  void end() override { (void)log->flush(); }

private:
  std::unique_ptr<MetricsLog> log;
  std::int64_t every, since, tokens = 0; // since the line before
};

class ProgressListener final : public TrainListener {
public:
  explicit ProgressListener(std::unique_ptr<Progress> progress) : progress(std::move(progress)) {}

  Status step(const StepReport &report) override {
    progress->step(report.step, report.objectives, report.tokens, report.now);
    return {};
  }
  Status evaluation(const EvaluationReport &report) override {
    if (report.kept) { // `train` shows these when all is over
      progress->status().clear();
      return {};
    }
    std::string text = fmt::format("step {} (epoch {:.4g}): {}", report.step, report.epoch, report.result.split);
    if (report.result.hasLoss) {
      text += fmt::format(" loss {:.4f}", report.result.loss);
    }
    for (const auto &[name, value] : report.result.values) {
      if (name.find('[') == std::string::npos) { // of one class
        text += fmt::format("  {} {:.4f}", name, value);
      }
    }
    progress->status().note(text + (report.best ? "  (best so far)" : ""));
    return {};
  }
  void note(const std::string &text) override { progress->status().note(text); }
  void warning(const std::string &text) override { progress->status().warn(text); }
  void activity(const std::string &what, std::int64_t done, std::int64_t total) override {
    progress->status().showRecords(what, done, total);
  }
  void end() override { progress->status().finish(); }

private:
  std::unique_ptr<Progress> progress;
};

class ReportListener final : public TrainListener {
public:
  explicit ReportListener(std::string folder) : folder(std::move(folder)) {}
  Status finished(const RunRecord &record) override { return writeReport(folder, record); }

private:
  std::string folder;
};

} // namespace

std::unique_ptr<TrainListener> listenForLog(std::unique_ptr<MetricsLog> log, std::int64_t every) {
  return std::make_unique<LogListener>(std::move(log), every);
}
std::unique_ptr<TrainListener> listenForProgress(std::unique_ptr<Progress> progress) {
  return std::make_unique<ProgressListener>(std::move(progress));
}
std::unique_ptr<TrainListener> listenForReport(std::string folder) { return std::make_unique<ReportListener>(std::move(folder)); }

} // namespace penstock
