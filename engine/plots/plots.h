// The plots of a run: SVG files that any browser shows, drawn from its log.
#pragma once
#include <string>

namespace gannet {

// Draws what the log holds into `folder` (made if absent): losses.svg, gradient_norms.svg, pixels.svg, scores.svg, weights.svg,
// gradients.svg, activations.svg. Old files are replaced as a whole; one whose data are absent is not written. Lines that hold
// nothing to draw are passed over, also one that is being written. Throws Error if the log cannot be read or a file not written.
void write_plots(const std::string& log, const std::string& folder);

}  // namespace gannet
