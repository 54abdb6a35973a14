// A folder that is removed in its destructor, and the text of an expected Error.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"

struct TemporaryFolder {
    std::string path;

    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "gannet-test-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw gannet::Error("cannot make a temporary folder", name);
        path = name;
    }
    ~TemporaryFolder() {
        std::error_code error;
        std::filesystem::remove_all(path, error);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string operator/(const std::string& name) const { return path + "/" + name; }
    std::string write(const std::string& name, const std::string& content) const {
        const std::string file = path + "/" + name;
        std::filesystem::remove(file);  // some file systems sync a file that is truncated
        std::ofstream(file, std::ios::binary) << content;
        return file;
    }
};

// The text of the Error that the call throws, or "". Other exceptions are not caught.
template <class Call>
std::string error_of(Call call) {
    try {
        call();
    } catch (const gannet::Error& error) {
        return error.what();
    }
    return "";
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
