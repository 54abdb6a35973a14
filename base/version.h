#pragma once

namespace gannet {

// `git describe` of the tree this program was built from.
const char* version();

}  // namespace gannet
