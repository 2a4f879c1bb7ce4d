internal import Foundation
internal import MartletCore
internal import MartletProtocols
public import SwiftProtobuf

/// Reads the configuration files that operators write in protobuf's text format.
///
/// What is wrong with a file is said as TensorFlow Serving says it, with line and column.
public enum ProtobufTextFile {
    /// The largest file that is read unless a caller says otherwise; certificates are the longest
    /// thing in any of them.
    public static let defaultMaximumBytes = 16 * 1024 * 1024

    /// Reads the message in a file.
    ///
    /// - Parameters:
    ///   - path: the file, as the user named it.
    ///   - type: the type of the message.
    ///   - maximumBytes: the largest file that is read.
    /// - Returns: the message.
    /// - Throws: `ServingError`: `NOT_FOUND` without the file, else `INVALID_ARGUMENT`.
    public static func read<Content: Message>(
        _ path: String, as type: Content.Type, maximumBytes: Int = defaultMaximumBytes
    ) throws -> Content {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw ServingError.notFound("\(path); No such file or directory")
        }
        guard !isFolder.boolValue else {
            throw ServingError.invalidArgument("\(path) is a folder, and a file is needed")
        }
        let bytes: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? file.close() }
            // One byte more than is allowed tells a file of just that size from a larger one,
            // whatever a pipe or a file that grows says of its size.
            bytes = try file.read(upToCount: maximumBytes + 1) ?? Data()
        } catch {
            throw ServingError(.invalidArgument, "Cannot read \(path): \(error)", cause: error)
        }
        guard bytes.count <= maximumBytes else {
            throw ServingError.invalidArgument(
                "Invalid protobuf file: '\(path)': it is larger than \(maximumBytes) bytes")
        }
        guard let text = String(bytes: bytes, encoding: .utf8) else {
            let place = endOfText(bytes)
            throw ServingError.invalidArgument(
                "Invalid protobuf file: '\(path)': Error parsing text-format "
                    + "\(Content.protoMessageName): \(place.line):\(place.column): "
                    + "it is not text in UTF-8")
        }
        do {
            return try parse(text, as: type)
        } catch let error as ServingError {
            throw ServingError.invalidArgument("Invalid protobuf file: '\(path)': \(error.message)")
        }
    }

    /// Reads a message out of a text.
    ///
    /// - Parameters:
    ///   - text: the message in text format.
    ///   - type: the type of the message.
    /// - Returns: the message.
    /// - Throws: `ServingError` `INVALID_ARGUMENT`, with line and column.
    public static func parse<Content: Message>(
        _ text: String, as type: Content.Type
    ) throws -> Content {
        registerContentsOfAny
        do {
            return try Content(textFormatString: text)
        } catch {
            let mistake = ProtobufTextMistake(text: text, messageName: Content.protoMessageName) {
                _ = try Content(textFormatString: $0)
            }
            throw ServingError.invalidArgument(
                "Error parsing text-format \(Content.protoMessageName): "
                    + "\(mistake.line):\(mistake.column): \(mistake.reason)")
        }
    }

    /// The line and column of the first byte that is not of a text in UTF-8.
    private static func endOfText(_ bytes: Data) -> (line: Int, column: Int) {
        var decoder = UTF8()
        var rest = bytes.makeIterator()
        var (line, column) = (1, 1)
        while case .scalarValue(let scalar) = decoder.decode(&rest) {
            (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
        }
        return (line, column)
    }

    /// The messages that a file may write out where it may hold any; the decoder knows no others.
    private static let registerContentsOfAny: Void = {
        Google_Protobuf_Any.register(
            messageType: Tensorflow_Serving_SavedModelBundleSourceAdapterConfig.self)
        Google_Protobuf_Any.register(
            messageType: Tensorflow_Serving_SessionBundleSourceAdapterConfig.self)
    }()
}
