// The plots of a run: SVG files, drawn from its history.
#pragma once
#include <string>

#include "engine/diagnostics/history.h"

namespace gannet {

// Draws the history into RUN/plots (`folder`, created if absent): losses.svg, gradient_norms.svg, pixels.svg, scores.svg,
// weights.svg, gradients.svg, activations.svg, titled by the run's name. Old files are replaced completely; a plot without data
// is not written. Time and memory do not depend on the length of the log. Throws Error if a file cannot be written.
void write_plots(const plots::History& history, const std::string& folder);

}  // namespace gannet
