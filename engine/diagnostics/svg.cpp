#include "engine/diagnostics/svg.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/text.h"

namespace gannet::plots {
namespace {

std::string attribute(const char* name, const std::string& value) { return std::string(" ") + name + "=\"" + value + "\""; }
std::string attribute(const char* name, double value) { return attribute(name, decimal(value)); }

std::string stroke(const Pen& pen) {
    std::string all = attribute("stroke", pen.colour) + attribute("stroke-width", pen.width);
    if (pen.opacity < 1) all += attribute("stroke-opacity", decimal(pen.opacity, 2));
    if (!pen.dash.empty()) all += attribute("stroke-dasharray", pen.dash);
    return all;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }  // a later byte of a UTF-8 character

// In units of the font's size; a little more than Helvetica needs, as others take its place where it is missing.
double character_width(char c) {
    if (continues(c)) return 0;
    if (std::strchr("fijlrtI.,:;'|!()[] ", c)) return 0.37;
    if (std::strchr("mwMW@%", c)) return 0.95;
    return c >= 'A' && c <= 'Z' ? 0.74 : 0.63;
}

}  // namespace

std::string escape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0, bytes = 1; i < text.size(); i += bytes) {
        const char c = text[i];
        const std::size_t length = character_at(text, i);
        bytes = std::max<std::size_t>(length, 1);
        if (c == '<') out += "&lt;";
        else if (c == '>') out += "&gt;";
        else if (c == '&') out += "&amp;";
        else if (c == '"') out += "&quot;";
        else if (c == '\'') out += "&#39;";
        else if (c == '\n' || c == '\t' || c == '\r') out += ' ';
        else if (length == 0 || (length == 1 && c < 0x20) || text.compare(i, 3, "\xEF\xBF\xBE") == 0 ||
                 text.compare(i, 3, "\xEF\xBF\xBF") == 0)
            out += "\xEF\xBF\xBD";  // U+FFFD: XML has no such character
        else out.append(text, i, bytes);
    }
    return out;
}

std::string decimal(double value, int decimals) {
    if (!(std::abs(value) < 1e15)) value = 0;  // NaN, too; 1e15 is the most that the buffer is meant for
    char buffer[64];
    std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals).ptr);
    if (text.find('.') != std::string::npos) {
        while (text.back() == '0') text.pop_back();
        if (text.back() == '.') text.pop_back();
    }
    return text == "-0" ? "0" : text;
}

double text_width(const std::string& text, double size) {
    double width = 0;
    for (const char c : text) width += character_width(c);
    return width * size;
}

std::string fit(const std::string& text, double width, double size) {
    if (text_width(text, size) <= width) return text;
    std::string end = text;
    do {
        end.erase(0, 1);
        while (!end.empty() && continues(end.front())) end.erase(0, 1);
    } while (!end.empty() && text_width(end, size) + size > width);
    return "\xE2\x80\xA6" + end;  // an ellipsis
}

std::vector<std::string> wrap(const std::string& text, double width, double size) {
    std::vector<std::string> lines;
    std::string line;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(' ', begin), text.size());
        const std::string word = text.substr(begin, end - begin);
        if (!line.empty() && text_width(line + " " + word, size) > width) {
            lines.push_back(line);
            line.clear();
        }
        line += (line.empty() ? "" : " ") + word;
        begin = end + 1;
    }
    if (!line.empty()) lines.push_back(line);
    return lines;
}

void Canvas::text(double x, double y, const std::string& words, const Font& font) {
    std::string all =
        "<text" + attribute("x", x) + attribute("y", y) + attribute("font-size", font.size) + attribute("fill", font.colour);
    if (font.anchor != "start") all += attribute("text-anchor", font.anchor);
    if (font.bold) all += attribute("font-weight", "bold");
    if (font.upwards) all += attribute("transform", "rotate(-90 " + decimal(x) + " " + decimal(y) + ")");
    element(all + ">" + escape(words) + "</text>");
}

double Canvas::paragraph(double x, double y, double width, const std::string& words, const Font& font) {
    for (const std::string& line : wrap(words, width, font.size)) {
        text(x, y, line, font);
        y += 1.4 * font.size;
    }
    return y;
}

void Canvas::line(double x1, double y1, double x2, double y2, const Pen& pen) {
    element("<line" + attribute("x1", x1) + attribute("y1", y1) + attribute("x2", x2) + attribute("y2", y2) + stroke(pen) + "/>");
}

void Canvas::path(const std::string& d, const Pen& pen) {
    element("<path" + attribute("fill", "none") + attribute("stroke-linejoin", "round") + stroke(pen) + attribute("d", d) + "/>");
}

void Canvas::shape(const std::string& d, const std::string& fill) {
    element("<path" + attribute("fill", fill) + attribute("d", d) + "/>");
}

void Canvas::dot(double x, double y, const Pen& pen) {
    element("<circle" + attribute("cx", x) + attribute("cy", y) + attribute("r", std::max(pen.width, 1.0)) +
            attribute("fill", pen.colour) + "/>");
}

void Canvas::rectangle(const Box& box, const std::string& fill) {
    element("<rect" + attribute("x", box.x) + attribute("y", box.y) + attribute("width", box.w) + attribute("height", box.h) +
            attribute("fill", fill) + "/>");
}

std::string Canvas::file(double width, double height, const std::string& title) const {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"" + attribute("width", width) +
           attribute("height", height) + attribute("viewBox", "0 0 " + decimal(width) + " " + decimal(height)) +
           attribute("font-family", "Helvetica, Arial, 'Liberation Sans', sans-serif") + attribute("role", "img") + ">\n<title>" +
           escape(title) + "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + content_ + "</svg>\n";
}

}  // namespace gannet::plots
