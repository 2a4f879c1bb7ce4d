/// Chat templates of forms that many models have.
enum ChatTemplates {
    /// A template of the widespread form, by which Hermes and Qwen models call tools.
    static let callingTools = """
        {%- if tools %}<|im_start|>system
        Tools:
        {%- for tool in tools %}
        {{ tool | tojson }}
        {%- endfor %}
        Answer with <tool_call>
        {"name": ..., "arguments": ...}
        </tool_call><|im_end|>
        {% endif %}
        {%- for message in messages %}<|im_start|>{{ message.role }}
        {%- if message.content %}
        {{ message.content }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
        <tool_call>
        {"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
        </tool_call>
        {%- endfor %}<|im_end|>
        {% endfor %}
        {%- if add_generation_prompt %}<|im_start|>assistant
        {% endif %}
        """
}
