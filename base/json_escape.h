// Bytes of text that are not UTF-8: JSON escapes them as Python's surrogateescape does, \udc80 to \udcff.
#pragma once
#include <string>

namespace gannet::json {

// The parser rejects such escapes. So they are replaced by a noncharacter and the two digits of the byte, with the same number of
// bytes.
std::string with_stand_ins(std::string text, const std::string& file);
std::string with_bytes(std::string text);  // undoes it, of one text
// The length of the character at `at`; 0 where the text is not UTF-8.
std::size_t character_at(const std::string& text, std::size_t at);

}  // namespace gannet::json
