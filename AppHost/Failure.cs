namespace LlmGateway.AppHost;

/// <summary>Why a stack cannot start, in one line for its user.</summary>
sealed class Failure(string message) : Exception(message);
