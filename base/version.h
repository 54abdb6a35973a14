#pragma once

namespace gannet {

// `git describe` of the source tree.
const char* version();

}  // namespace gannet
