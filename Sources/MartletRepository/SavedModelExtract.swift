internal import Foundation
import MartletCore
import MartletProtocols
public import MartletTensors
internal import SwiftProtobuf

/// Takes one signature out of a SavedModel, for engines that know one graph and one signature.
public enum SavedModelExtract {
    /// The largest `saved_model.pb` that is copied for a signature.
    static let maximumBytes = 512 << 20

    /// The signature that restores nothing and initialises tables.
    private static let initialiser = "__saved_model_init_op"

    /// Numbers of the fields looked at, by message.
    private enum Field {
        static let metaGraph: UInt64 = 2
        static let information: UInt64 = 1
        static let tags: UInt64 = 4
        static let signature: UInt64 = 5
        static let key: UInt64 = 1
        static let value: UInt64 = 2
    }

    /// The `saved_model.pb` that holds the graph of these tags and this signature, under the name
    /// `serving_default`; `nil` where the folder's own does and holds no more.
    ///
    /// - Parameters:
    ///   - folder: the folder of the version.
    ///   - tags: the tags of the graph.
    ///   - signature: one of ``SavedModelDescription/signatures``.
    /// - Returns: the file's content, or `nil`.
    /// - Throws: `ServingError`: `NOT_FOUND` when there is no such graph, `INVALID_ARGUMENT` when
    ///   the file has no such signature, `UNIMPLEMENTED` when the file is too large to be copied.
    public static func file(
        folder: String, tags: [String], signature: Signature
    ) throws -> [UInt8]? {
        let path = "\(folder)/\(SavedModelDescription.fileName)"
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
            return try data.withUnsafeBytes {
                try file(ProtobufScanner($0[...]), size: $0.count, Set(tags), signature, path)
            }
        } catch let error as ServingError {
            throw error
        } catch {
            throw ServingError(
                .invalidArgument, "\(path) cannot be read as a SavedModel", cause: error)
        }
    }

    private static func file(
        _ model: ProtobufScanner, size: Int, _ tags: Set<String>, _ signature: Signature,
        _ path: String
    ) throws -> [UInt8]? {
        var rest: [UInt8] = []
        var chosen: ProtobufScanner?
        var graphCount = 0
        var scanner = model
        while let field = try scanner.next() {
            guard field.number == Field.metaGraph, let content = field.content else {
                rest += field.raw
                continue
            }
            graphCount += 1
            if chosen == nil, try self.tags(of: content) == tags { chosen = content }
        }
        guard let chosen else {
            throw ServingError.notFound("\(path) has no graph of the tags \(tags.sorted())")
        }
        let entries = try signatures(of: chosen, path)
        guard
            let wanted = entries.first(where: {
                $0.name == signature.name && $0.signature == signature
            })
        else {
            throw ServingError.invalidArgument(
                "\(path) has no signature '\(signature.name)' with these tensors")
        }
        let others = entries.filter { $0.name != initialiser && $0.name != wanted.name }
        if graphCount == 1, others.isEmpty, wanted.name == Signature.defaultName { return nil }
        guard size <= maximumBytes else {
            throw ServingError(
                .unimplemented,
                "\(path) has \(size) bytes; the limit for a copy for signature "
                    + "'\(signature.name)' is \(maximumBytes)")
        }
        let graph = try graph(chosen, holding: wanted)
        return rest + ProtobufScanner.message(Field.metaGraph, graph)
    }

    private struct Entry {
        let name: String
        /// `nil` where no request can call it.
        let signature: Signature?
        let definition: [UInt8]
    }

    private static func tags(of graph: ProtobufScanner) throws -> Set<String> {
        var tags: Set<String> = []
        var scanner = graph
        while let field = try scanner.next() {
            guard field.number == Field.information, var information = field.content else {
                continue
            }
            while let inner = try information.next() {
                guard inner.number == Field.tags, let content = inner.content else { continue }
                tags.insert(String(decoding: content.bytes, as: UTF8.self))
            }
        }
        return tags
    }

    private static func signatures(
        of graph: ProtobufScanner, _ path: String
    ) throws -> [Entry] {
        // Of entries of one name the last counts.
        var entries: [String: Entry] = [:]
        var scanner = graph
        while let field = try scanner.next() {
            guard field.number == Field.signature, let content = field.content else { continue }
            let entry = try entry(content)
            entries[entry.name] = entry
        }
        return entries.values.sorted { $0.name < $1.name }
    }

    private static func entry(_ content: ProtobufScanner) throws -> Entry {
        var scanner = content
        var name = ""
        var definition: [UInt8] = []
        while let field = try scanner.next() {
            guard let content = field.content else { continue }
            if field.number == Field.key { name = String(decoding: content.bytes, as: UTF8.self) }
            if field.number == Field.value { definition += content.bytes }
        }
        let message = try Tensorflow_SignatureDef(serializedBytes: definition)
        return Entry(
            name: name, signature: try Signature(name: name, definition: message),
            definition: definition)
    }

    private static func graph(_ graph: ProtobufScanner, holding wanted: Entry) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var scanner = graph
        while let field = try scanner.next() {
            if field.number == Field.signature, let content = field.content {
                guard try entry(content).name == initialiser else { continue }
            }
            bytes += field.raw
        }
        let entry =
            ProtobufScanner.message(Field.key, Array(Signature.defaultName.utf8))
            + ProtobufScanner.message(Field.value, wanted.definition)
        return bytes + ProtobufScanner.message(Field.signature, entry)
    }
}
