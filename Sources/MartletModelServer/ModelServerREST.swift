import MartletCore
import MartletTelemetry
public import MartletTransport

// MARK: REST

extension ModelServer {
    /// Answers an HTTP request; see ``RequestResponder``.
    public func respond(to request: HTTPRequest, reply: Reply<HTTPResponse>) {
        journal.didReceive()
        let operation: Operation<HTTPRequest, HTTPResponse>
        let standing: TaskStanding
        // Without a key nobody learns which paths there are.
        let found = Result { try restOperation(for: request) }
        let failure = (try? found.get())?.failure
        do {
            let tenant = try admission.check(
                operation: (try? found.get())?.name, headers: request.headers,
                context: request.context)
            operation = try found.get()
            standing = try admission.standing(tenant: tenant, headers: request.headers)
        } catch {
            finish(request, RequestSubject(), .failure(error), failure, reply)
            return
        }
        process(
            request, operation, bytes: request.body.count, context: request.context,
            standing: standing
        ) { subject, result in
            self.finish(request, subject, result, failure, reply)
        }
    }

    private func restOperation(
        for request: HTTPRequest
    ) throws -> Operation<HTTPRequest, HTTPResponse> {
        if options.supportsCORS, request.method == "OPTIONS" { return CrossOrigin.preflight }
        var malformed: (any Error)?
        for service in restServices {
            do {
                if let operation = try service.operation(
                    method: request.method, path: request.path)
                {
                    return operation
                }
            } catch {
                // Another family may know better what this path is.
                malformed = malformed ?? error
            }
        }
        throw malformed ?? ServingError.notFound("Not found: \(request.method) \(request.path)")
    }

    private func finish(
        _ request: HTTPRequest, _ subject: RequestSubject,
        _ result: Result<HTTPResponse, any Error>,
        _ failure: (@Sendable (ServingError) -> HTTPResponse)?, _ reply: Reply<HTTPResponse>
    ) {
        let code: StatusCode
        var response: HTTPResponse
        switch result {
        case .success(let answer):
            code = answer.status == 503 ? .unavailable : .ok
            response = answer
            // Answers that are not errors come from threads that may take their time.
            if let compressedBytesMin { response.compress(for: request, from: compressedBytesMin) }
        case .failure(let error):
            let fault = servingError(error)
            code = fault.code
            response =
                failure?(fault) ?? (fault.cause is OpenAIErrorDetail ? .openAI(fault) : nil)
                ?? HTTPResponse(
                    status: code.httpStatus, contentType: "application/json",
                    body: errorBody(fault.message))
        }
        if code == .unauthenticated { response.headers.add("www-authenticate", "Bearer") }
        if options.supportsCORS {
            CrossOrigin.allow(&response.headers, withKeys: admission.keys != nil)
        }
        if let content = response.stream {
            content.onEnd { [self, status = response.status] isWhole, bytes in
                note(request, subject, isWhole ? code : .cancelled, status: status, bytes: bytes)
            }
        } else {
            note(
                request, subject, code, status: response.status, bytes: response.body.count)
        }
        reply.send(response)
    }

    private func note(
        _ request: HTTPRequest, _ subject: RequestSubject, _ code: StatusCode, status: Int,
        bytes: Int
    ) {
        journal.didAnswer(
            RequestRecord(
                api: .rest, method: request.method, path: request.path, subject: subject,
                code: code, status: .http(status), requestBytes: request.body.count,
                responseBytes: bytes, context: request.context))
    }
}
